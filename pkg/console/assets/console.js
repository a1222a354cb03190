// Script of all pages: copy buttons, cells and lists updated by streams, charts. Everything else is HTML.
(function () {
  'use strict';

  document.addEventListener('click', function (event) {
    var button = event.target.closest('button');
    if (!button) return;
    if (button.dataset.copies) copy(button);
    if (button.dataset.pauses) pause(button);
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
    select(source); // without TLS only localhost has navigator.clipboard
    done(document.execCommand('copy') ? 'Copied' : 'Press Ctrl-C');
  }

  function select(element) {
    getSelection().selectAllChildren(element);
  }

  // pause keeps new messages out of the list and counts them on the button; the next click adds them.
  var waiting = [];

  function pause(button) {
    var paused = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', paused);
    var feed = document.getElementById(button.dataset.pauses);
    feed.dataset.paused = paused;
    if (!paused) addMessages(feed.querySelector('[data-keeps]'), waiting.splice(0));
    showWaiting(feed);
  }

  function showWaiting(feed) {
    var button = document.querySelector('[data-pauses="' + feed.id + '"]');
    button.textContent = feed.dataset.paused !== 'true' ? 'Pause the list' : 'Resume (' + waiting.length + ' waiting)';
  }

  // addMessages inserts messages by their time of receipt, newest first, and removes the oldest beyond the limit. Events
  // from ClickHouse arrive later than newer ones from Kafka.
  function addMessages(list, messages) {
    messages.forEach(function (message) {
      if (document.getElementById(message.id)) return;
      var before = Array.from(list.children).find(function (shown) { return time(shown) <= time(message); });
      list.insertBefore(message, before || null);
    });
    while (list.children.length > Number(list.dataset.keeps)) list.lastElementChild.remove();
  }

  function time(message) { return Date.parse(message.querySelector('time').dateTime); }

  // Cells replace the elements with their ids. A missing element is no error, as it is for htmx's own swap by id.
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

  // A reconnected stream sends the latest messages again.
  document.addEventListener('htmx:sseOpen', function (event) {
    if (event.target.dataset.paused === 'true') return;
    event.target.querySelectorAll('[data-keeps]').forEach(function (list) { list.textContent = ''; });
  });

  // A broken stream reconnects by itself, unless the session has ended.
  document.addEventListener('htmx:sseError', function (event) {
    var summary = event.target.querySelector('[sse-swap="summary"]');
    if (summary) summary.textContent = 'The connection to the console is lost. Reconnecting …';
    fetch(location.href, { method: 'HEAD', redirect: 'manual', headers: { Accept: 'text/html' } }).then(function (answer) {
      if (answer.type === 'opaqueredirect') location.reload();
    }, function () { /* the console does not answer */ });
  });

  // Messages of a feed are added in order of time, or kept while the feed is paused.
  document.addEventListener('htmx:sseBeforeMessage', function (event) {
    var list = event.target;
    if (!list.dataset.keeps) return;
    event.preventDefault();
    var feed = list.closest('[sse-connect]');
    var received = document.createElement('template');
    received.innerHTML = event.detail.data;
    var messages = Array.from(received.content.children).reverse(); // oldest first
    if (feed.dataset.paused !== 'true') {
      addMessages(list, messages);
      return;
    }
    waiting = waiting.concat(messages).slice(-Number(list.dataset.keeps));
    showWaiting(feed);
  });

  function color(role) {
    var name = /^\d+$/.test(role) ? '--series-' + role : '--' + role + '-line';
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  // stack returns cumulative sums, which are drawn from the back to the front.
  function stack(series) {
    var sum = series[0].points.map(function () { return 0; });
    return series.map(function (s) {
      sum = sum.map(function (below, n) { return below + s.points[n]; });
      return sum;
    });
  }

  // axisLabels are times of day for steps below a day, and dates at the start of a day, in UTC.
  function axisLabels(plot, times, axis, space, step) {
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
      axes: [Object.assign({ values: axisLabels }, axis), Object.assign({ size: 70 }, axis)], scales: { y: { range: function (plot, low, high) { return [Math.min(0, low), Math.max(high * 1.05, 1)]; } } },
    };
  }

  function draw(figure) {
    var data = JSON.parse(document.getElementById('data-' + figure.dataset.chart).textContent);
    figure.textContent = '';
    if (!data.series || !data.series.length) {
      figure.textContent = 'No data.';
      return;
    }
    var sums = data.kind === 'bars' ? stack(data.series) : null;
    var points = sums ? sums.slice().reverse() : data.series.map(function (s) { return s.points; });
    figure.plot = new uPlot(options(figure, data, sums), [data.times].concat(points), figure);
  }

  function drawAll() {
    document.querySelectorAll('figure[data-chart]').forEach(draw);
  }

  // fit resizes the charts to the window.
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
