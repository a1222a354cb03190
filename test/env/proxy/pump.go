package proxy

import (
	"io"
	"net"
	"time"
)

// Bytes taken at once of a protocol that we do not know, and how much of a direction may be under way while
// it is delayed.
const (
	pieceBytes = 64 << 10
	underWay   = 256
)

// reader takes the next bytes that belong together.
type reader func(io.Reader) ([]byte, error)

// whatever takes what there is.
func whatever(from io.Reader) ([]byte, error) {
	piece := make([]byte, pieceBytes)
	n, err := from.Read(piece)
	return piece[:n], err
}

// piece is bytes on their way.
type piece struct {
	bytes []byte
	due   time.Time
}

// pump passes on until one side ends.
func (l *Link) pump(to, from net.Conn, read reader, answers bool) {
	pieces := make(chan piece, underWay)
	go func() {
		defer close(pieces)
		for {
			b, err := read(from)
			if len(b) > 0 {
				_, delay := l.state()
				pieces <- piece{b, time.Now().Add(delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range pieces {
		time.Sleep(time.Until(p.due))
		if f, _ := l.state(); f == cut || f == oneSide && answers {
			continue
		}
		if _, err := to.Write(p.bytes); err != nil {
			from.Close() // the reader ends, and what it still brings has nowhere to go
		}
	}
}
