package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/millrace/millrace/pkg/credential"
)

// Access says how brokers are reached, and as whom. Its fields are flags, under the prefix "kafka-".
type Access struct {
	TLS      credential.TLS      `embed:"" set:"server=the brokers"`
	SASL     string              `name:"sasl" help:"How to log in to the brokers: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; empty is not at all." placeholder:"MECHANISM"`
	User     string              `help:"User to log in as." placeholder:"NAME"`
	Password credential.Password `embed:""`
	ClientID string              `help:"What the brokers call us in their logs, metrics and quotas." default:"millrace" placeholder:"NAME"`
	Rack     string              `help:"Rack or zone of this machine, as brokers call theirs (broker.rack): loaders and replays then read from a replica in it, where the brokers' replica.selector.class allows that." placeholder:"NAME"`

	// Login takes the place of SASL with a mechanism that is not built in, such as OAUTHBEARER. It is set by programs
	// of your own, and has no flag.
	Login Login `kong:"-"`
}

// Login is a way to log in, of which the Kafka client need not be known.
type Login interface {
	// Mechanism is its name in SASL, such as OAUTHBEARER.
	Mechanism() string
	// Begin logs in over a connection to a broker, host:port. first is sent to it, and answer called with each thing it
	// says, until that is done. It is called for each new connection, and again before a session runs out.
	Begin(
		ctx context.Context,
		broker string,
	) (first []byte, answer func(said []byte) (done bool, reply []byte, err error), err error)
}

const (
	flagPrefix  = "kafka-"
	dialTimeout = 3 * time.Second
)

func (a *Access) check() error {
	if err := a.TLS.Check(flagPrefix); err != nil {
		return err
	}
	if err := a.Password.Check(flagPrefix); err != nil {
		return err
	}
	a.SASL = strings.ToUpper(a.SASL)
	switch {
	case a.Login != nil && a.SASL != "":
		return fmt.Errorf(
			"--kafka-sasl is %s, but this program logs in with %s: leave the flag out",
			a.SASL,
			a.Login.Mechanism(),
		)
	case a.SASL == "" && (a.User != "" || !a.Password.IsZero()):
		return errors.New(
			"--kafka-user and --kafka-password are of no use without --kafka-sasl: set it to PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
		)
	case a.SASL == "":
		return nil
	case a.mechanism() == nil:
		return fmt.Errorf("--kafka-sasl is %q, but must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", a.SASL)
	case a.User == "" || a.Password.IsZero():
		return fmt.Errorf("--kafka-sasl %s needs --kafka-user, and --kafka-password or --kafka-password-file", a.SASL)
	}
	return nil
}

func (a *Access) options() []kgo.Opt {
	options := []kgo.Opt{kgo.ClientID(cmp.Or(a.ClientID, "millrace")), kgo.Dialer(a.TLS.Dialer(dialTimeout))}
	if m := a.mechanism(); m != nil {
		options = append(options, kgo.SASL(m))
	}
	return options
}

// nearestReplica has a consumer read from the nearest replica. The registry's followers do not: a replica hears of a
// change later than its leader, and an edge must know all there is within its lease.
func (a *Access) nearestReplica() kgo.Opt { return kgo.Rack(a.Rack) }

// mechanism is nil if there is none. The password is read for each connection.
func (a *Access) mechanism() sasl.Mechanism {
	if a.Login != nil {
		return login{a.Login}
	}
	switch a.SASL {
	case "PLAIN":
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			password, err := a.Password.Read()
			return plain.Auth{User: a.User, Pass: password}, err
		})
	case "SCRAM-SHA-256":
		return scram.Sha256(a.scram)
	case "SCRAM-SHA-512":
		return scram.Sha512(a.scram)
	}
	return nil
}

func (a *Access) scram(context.Context) (scram.Auth, error) {
	password, err := a.Password.Read()
	return scram.Auth{User: a.User, Pass: password}, err
}

// login makes of a Login what the Kafka client wants.
type login struct{ Login }

func (l login) Name() string { return l.Mechanism() }

func (l login) Authenticate(ctx context.Context, broker string) (sasl.Session, []byte, error) {
	first, answer, err := l.Begin(ctx, broker)
	if err != nil {
		return nil, nil, fmt.Errorf("log in with %s: %w", l.Mechanism(), err)
	}
	return session(answer), first, nil
}

type session func(said []byte) (done bool, reply []byte, err error)

func (s session) Challenge(said []byte) (bool, []byte, error) { return s(said) }
