package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/pkg/stream"
)

// fromStart is the --from that means everything.
const fromStart = "start"

// reach reads the flags that say which records are meant. Its Until is never zero.
func (c *replayCommand) reach(topics stream.Topics, now time.Time) (*stream.ReplayRange, error) {
	r := &stream.ReplayRange{Topics: []string{topics.Ingest}, Until: now.Truncate(time.Millisecond)}
	switch {
	case c.OnlyDeadLetters:
		r.Topics = []string{topics.DeadLetters}
	case c.DeadLetters:
		r.Topics = append(r.Topics, topics.DeadLetters)
	}
	var err error
	if c.Until != "" {
		if r.Until, err = parseWhen("--until", c.Until, now); err != nil {
			return nil, err
		}
	}
	switch {
	case c.From == "" && len(c.FromOffset) == 0:
		return nil, errors.New("from where on? Give --from, such as --from 36h, or --from start for all that is kept; see --help")
	case c.From != "" && len(c.FromOffset) > 0:
		return nil, errors.New("--from and --from-offset are two ways to say the same: give one of them")
	case len(c.FromOffset) > 0:
		r.Topics = nil
		if r.Offsets, err = parseOffsets(c.FromOffset, topics); err != nil {
			return nil, err
		}
	case c.From != fromStart:
		if r.From, err = parseWhen("--from", c.From, now); err != nil {
			return nil, err
		}
	}
	if !r.From.Before(r.Until) {
		return nil, fmt.Errorf("--from (%s) is not before --until (%s): nothing can lie between them", r.From.UTC().Format(time.RFC3339), r.Until.UTC().Format(time.RFC3339))
	}
	return r, c.checkLetters(r, topics)
}

// checkLetters refuses a reason where there are records without one: it would be for some of them only.
func (c *replayCommand) checkLetters(r *stream.ReplayRange, topics stream.Topics) error {
	for _, p := range r.Offsets {
		if p.Topic != topics.DeadLetters && c.OnlyDeadLetters {
			return fmt.Errorf("--only-dead-letters, but --from-offset names partition %d of %s: write dead-letters/%d:%d for the dead letters'", p.ID, p.Topic, p.ID, p.Offset)
		}
	}
	if len(c.Reason) > 0 && !c.OnlyDeadLetters {
		return errors.New("--reason is about dead letters: give --only-dead-letters with it")
	}
	return nil
}

func parseWhen(flag, text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s %q is no time such as 2026-05-18T12:00:00Z, and no duration before now such as 90m or 36h", flag, text)
	}
	return at, nil
}

// lettersPrefix marks the dead letters' partitions in --from-offset.
const lettersPrefix = "dead-letters/"

func parseOffsets(list []string, topics stream.Topics) ([]stream.Position, error) {
	positions := make([]stream.Position, 0, len(list))
	for _, text := range list {
		p := stream.Position{Partition: stream.Partition{Topic: topics.Ingest}}
		pair, letters := strings.CutPrefix(text, lettersPrefix)
		if letters {
			p.Topic = topics.DeadLetters
		}
		partition, offset, _ := strings.Cut(pair, ":")
		id, err := strconv.ParseInt(partition, 10, 32)
		if err == nil {
			p.ID = int32(id)
			p.Offset, err = strconv.ParseInt(offset, 10, 64)
		}
		if err != nil || id < 0 || p.Offset < 0 {
			return nil, fmt.Errorf("--from-offset %q is no partition:offset such as 3:1500, nor dead-letters/3:1500", text)
		}
		positions = append(positions, p)
	}
	return positions, nil
}

// goOn is the flags that lead on from where a replay was stopped. Its own copies lie behind until, and stay out.
func goOn(topics stream.Topics, rest []stream.Position, until time.Time) string {
	list := make([]string, len(rest))
	for i, p := range rest {
		list[i] = fmt.Sprintf("%d:%d", p.ID, p.Offset)
		if p.Topic == topics.DeadLetters {
			list[i] = lettersPrefix + list[i]
		}
	}
	return fmt.Sprintf("--from-offset %s --until %s", strings.Join(list, ","), until.UTC().Format(time.RFC3339Nano))
}
