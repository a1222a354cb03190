// What pages cannot do by themselves: copy, put cells in their places, hold a stream still, keep a list short, and draw. Everything else is HTML.
(function () {
  'use strict';

  document.addEventListener('click', function (event) {
    var button = event.target.closest('button');
    if (!button) return;
    if (button.dataset.copies) copy(button);
    if (button.dataset.pauses) hold(button);
  });

  function copy(button) {
    var source = document.getElementById(button.dataset.copies);
    var done = function (text) {
      button.textContent = text;
      setTimeout(function () { button.textContent = 'Copy'; }, 2000);
    };
    if (navigator.clipboard) {
      navigator.clipboard.writeText(source.textContent).then(function () { done('Copied'); }, function () { select(source); done('Press Ctrl-C'); });
      return;
    }
    select(source); // without TLS browsers give no clipboard, but on localhost
    done(document.execCommand('copy') ? 'Copied' : 'Press Ctrl-C');
  }

  function select(element) {
    getSelection().selectAllChildren(element);
  }

  function hold(button) {
    var held = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', held);
    document.getElementById(button.dataset.pauses).dataset.held = held;
  }

  // Cells take the places of those with their ids. A page need not have all: a list keeps so many only, and htmx's own swap by id takes
  // what is not there for an error.
  document.addEventListener('htmx:sseBeforeMessage', function (event) {
    if (event.target.getAttribute('sse-swap') !== 'cells') return;
    event.preventDefault();
    var cells = document.createElement('template');
    cells.innerHTML = event.detail.data;
    Array.from(cells.content.children).forEach(function (cell) {
      var now = document.getElementById(cell.id);
      if (now) now.replaceWith(cell);
    });
  });

  // A stream that begins again brings what is there once more.
  document.addEventListener('htmx:sseOpen', function (event) {
    if (event.target.dataset.held === 'true') return;
    event.target.querySelectorAll('[data-keeps]').forEach(function (list) { list.textContent = ''; });
  });

  // One that is lost comes back by itself, unless the session is over.
  document.addEventListener('htmx:sseError', function (event) {
    var summary = event.target.querySelector('[sse-swap="summary"]');
    if (summary) summary.textContent = 'The connection to the console is lost. Trying again …';
    fetch(location.href, { method: 'HEAD', redirect: 'manual', headers: { Accept: 'text/html' } }).then(function (answer) {
      if (answer.type === 'opaqueredirect') location.reload();
    }, function () { /* the console is away */ });
  });

  // A stream that is held still is not shown; what comes meanwhile is left out.
  document.addEventListener('htmx:sseBeforeMessage', function (event) {
    var live = event.target.closest('[data-held="true"]');
    if (live && event.target.dataset.keeps) event.preventDefault();
  });

  document.addEventListener('htmx:sseMessage', function (event) {
    var list = event.target;
    var most = Number(list.dataset.keeps);
    if (!most) return;
    while (list.children.length > most) list.lastElementChild.remove();
  });

  function color(role) {
    var name = /^\d+$/.test(role) ? '--series-' + role : '--' + role + '-line';
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  // Bars stand on each other: each is drawn as high as all up to it, from behind.
  function stack(series) {
    var sum = series[0].points.map(function () { return 0; });
    return series.map(function (s) {
      sum = sum.map(function (below, n) { return below + s.points[n]; });
      return sum;
    });
  }

  // Hours of the day where a step is less than one, and the date where a day begins: all in UTC, as everywhere.
  function moments(plot, times, axis, space, step) {
    return times.map(function (t, n) {
      var iso = new Date(t * 1000).toISOString();
      if (step >= 86400) return iso.slice(0, 10);
      var time = iso.slice(11, step < 60 ? 19 : 16);
      return n === 0 || t % 86400 === 0 ? time + '\n' + iso.slice(0, 10) : time;
    });
  }

  function options(figure, data, sums) {
    var text = getComputedStyle(document.body);
    var axis = { stroke: text.color, grid: { stroke: text.getPropertyValue('--line'), width: 1 }, ticks: { stroke: text.getPropertyValue('--line'), width: 1 } };
    var series = data.series.map(function (s, n) {
      var look = { label: s.label, stroke: color(s.role), value: function (plot, drawn, at, point) { return point === null || point === undefined ? '' : s.points[point].toLocaleString('en'); } };
      if (data.kind === 'bars') {
        look.fill = color(s.role);
        look.paths = uPlot.paths.bars({ size: [0.9, 40] });
        look.points = { show: false };
      } else {
        look.width = 2;
      }
      return look;
    });
    return {
      width: figure.clientWidth - 16, height: 240, tzDate: function (t) { return uPlot.tzDate(new Date(t * 1000), 'UTC'); },
      series: [{ label: 'UTC', value: '{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}' }].concat(sums ? series.reverse() : series),
      axes: [Object.assign({ values: moments }, axis), Object.assign({ size: 70 }, axis)], scales: { y: { range: function (plot, low, high) { return [Math.min(0, low), Math.max(high * 1.05, 1)]; } } },
    };
  }

  function draw(figure) {
    var data = JSON.parse(document.getElementById('data-' + figure.dataset.chart).textContent);
    figure.textContent = '';
    if (!data.series || !data.series.length) {
      figure.textContent = 'Nothing to draw.';
      return;
    }
    var sums = data.kind === 'bars' ? stack(data.series) : null;
    var points = sums ? sums.slice().reverse() : data.series.map(function (s) { return s.points; });
    figure.plot = new uPlot(options(figure, data, sums), [data.times].concat(points), figure);
  }

  function drawAll() {
    document.querySelectorAll('figure[data-chart]').forEach(draw);
  }

  // fit gives plots the width that there is now.
  function fit() {
    document.querySelectorAll('figure[data-chart]').forEach(function (figure) {
      if (figure.plot) figure.plot.setSize({ width: figure.clientWidth - 16, height: 240 });
    });
  }

  document.addEventListener('DOMContentLoaded', function () {
    var soon;
    drawAll();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
    addEventListener('resize', function () { cancelAnimationFrame(soon); soon = requestAnimationFrame(fit); });
  });
})();
