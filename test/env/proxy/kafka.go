package proxy

import (
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// kafkaFrames reads the requests and the answers of one connection.
func (l *Link) kafkaFrames() (requests, answers reader) {
	asked := &asked{}
	requests = func(from io.Reader) ([]byte, error) {
		frame, err := readFrame(from)
		if err == nil {
			asked.note(frame[4:])
		}
		return frame, err
	}
	answers = func(from io.Reader) ([]byte, error) {
		frame, err := readFrame(from)
		if err != nil {
			return nil, err
		}
		answer := l.rewrite(frame[4:], asked)
		binary.BigEndian.PutUint32(frame, uint32(len(answer)))
		return append(frame[:4:4], answer...), nil
	}
	return requests, answers
}

// readFrame returns a frame with its size before it.
func readFrame(from io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(from, size[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, 4+int(binary.BigEndian.Uint32(size[:])))
	copy(frame, size[:])
	if _, err := io.ReadFull(from, frame[4:]); err != nil {
		return nil, err
	}
	return frame, nil
}

// asked remembers which request an answer belongs to.
type asked struct{ requests sync.Map }

type ask struct{ key, version int16 }

func (a *asked) note(frame []byte) {
	if len(frame) >= 8 {
		a.requests.Store(
			string(frame[4:8]),
			ask{int16(binary.BigEndian.Uint16(frame)), int16(binary.BigEndian.Uint16(frame[2:]))},
		)
	}
}

// rewrite puts the link's addresses into answers that name the brokers'. Answers to what was written and
// read do so when a leader has changed.
func (l *Link) rewrite(frame []byte, asked *asked) []byte {
	if len(frame) < 4 {
		return frame
	}
	v, ok := asked.requests.LoadAndDelete(string(frame[:4]))
	if !ok {
		return frame
	}
	a := v.(ask)
	answer := kmsg.ResponseForKey(a.key)
	switch answer.(type) {
	case *kmsg.MetadataResponse, *kmsg.FindCoordinatorResponse, *kmsg.ProduceResponse, *kmsg.FetchResponse:
	default:
		return frame
	}
	answer.SetVersion(a.version)
	head := 4
	if answer.IsFlexible() {
		head++ // no tags
	}
	if err := answer.ReadFrom(frame[head:]); err != nil || !l.replace(answer) {
		return frame
	}
	return answer.AppendTo(frame[:head:head])
}

// replace tells whether there was anything to replace.
func (l *Link) replace(answer kmsg.Response) (changed bool) {
	ours := func(host *string, port *int32) {
		changed = true
		*host, *port = l.ours(*host, *port)
	}
	switch answer := answer.(type) {
	case *kmsg.MetadataResponse:
		for i := range answer.Brokers {
			ours(&answer.Brokers[i].Host, &answer.Brokers[i].Port)
		}
	case *kmsg.FindCoordinatorResponse:
		ours(&answer.Host, &answer.Port)
		for i := range answer.Coordinators {
			ours(&answer.Coordinators[i].Host, &answer.Coordinators[i].Port)
		}
	case *kmsg.ProduceResponse:
		for i := range answer.Brokers {
			ours(&answer.Brokers[i].Host, &answer.Brokers[i].Port)
		}
	case *kmsg.FetchResponse:
		for i := range answer.Brokers {
			ours(&answer.Brokers[i].Host, &answer.Brokers[i].Port)
		}
	}
	return changed
}

// ours is our address for a broker's. The empty one of a coordinator that there is not yet stays.
func (l *Link) ours(host string, port int32) (string, int32) {
	addr := net.JoinHostPort(host, strconv.Itoa(int(port)))
	for _, n := range l.nodes {
		if n.addr == addr {
			return "127.0.0.1", int32(n.listener.Addr().(*net.TCPAddr).Port)
		}
	}
	return host, port
}
