package stream

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/millrace/millrace/pkg/credential"
	"github.com/millrace/millrace/test/env"
)

// securedConfig is what it takes to be let in, with a mechanism.
func securedConfig(t *testing.T, b env.Secured, mechanism string) Config {
	t.Helper()
	config := configFor(t, b.Addr)
	config.Access.TLS = credential.TLS{On: true, CA: b.CA}
	config.Access.SASL, config.Access.User, config.Access.Password.Password = mechanism, b.User, b.Password
	return config
}

// works makes the topics and has a record through the log.
func works(t *testing.T, config Config) {
	t.Helper()
	c := clientFor(t, config)
	require.NoError(t, c.Ping(t.Context()))
	require.NoError(t, c.EnsureTopics(t.Context()))
	require.NoError(t, c.ConnectionsTopic().Append(t.Context(), "key", []byte("value")))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := c.ConnectionsTopic().Follow(ctx, func(string, []byte) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
}

// refused is why a broker does not let us in.
func refused(t *testing.T, config Config) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := clientFor(t, config).Ping(ctx)
	require.Error(t, err)
	return err.Error()
}

func TestLoggingInWithTLS(t *testing.T) {
	b := env.SecuredBroker(t)
	for _, mechanism := range []string{"PLAIN", "scram-sha-256", "SCRAM-SHA-512"} {
		works(t, securedConfig(t, b, mechanism))
	}
}

func TestWhoIsNotLetInIsToldWhatToChange(t *testing.T) {
	b := env.SecuredBroker(t)
	for want, spoil := range map[string]func(*Access){
		"--kafka-tls-ca":          func(a *Access) { a.TLS.CA = env.Authority(t).File },
		"--kafka-tls-server-name": func(a *Access) { a.TLS.ServerName = "elsewhere.example" },
		"--kafka-tls":             func(a *Access) { a.TLS = credential.TLS{} },
		"--kafka-sasl":            func(a *Access) { a.SASL, a.User, a.Password.Password = "", "", "" },
		"--kafka-":                func(a *Access) { a.Password.Password = "canary" },
	} {
		config := securedConfig(t, b, "SCRAM-SHA-512")
		spoil(&config.Access)
		why := refused(t, config)
		require.Contains(t, why, want)
		require.NotContains(t, why, "canary")
		require.NotContains(t, why, b.Password)
	}
}

// A password that is replaced while a program runs is used by its next connection.
func TestAPasswordInAFileIsReadForEachConnection(t *testing.T) {
	b := env.SecuredBroker(t)
	admin := clientFor(t, securedConfig(t, b, "PLAIN")).admin
	set := func(password string) {
		t.Helper()
		done, err := admin.AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{{User: "rotated", Mechanism: kadm.ScramSha256, Iterations: 4096, Password: password}})
		require.NoError(t, err)
		require.NoError(t, done.Error())
	}
	config := securedConfig(t, b, "SCRAM-SHA-256")
	file := filepath.Join(t.TempDir(), "password")
	config.Access.User, config.Access.Password = "rotated", credential.Password{PasswordFile: file}
	require.NoError(t, os.WriteFile(file, []byte("first\n"), 0o600))
	set("first")
	before, after := clientFor(t, config), clientFor(t, config) // neither is connected yet
	eventually(t, func() bool { return before.Ping(t.Context()) == nil }, "brokers hear of a user one after the other")
	set("second")
	require.NoError(t, os.WriteFile(file, []byte("second\n"), 0o600))
	eventually(t, func() bool { return after.Ping(t.Context()) == nil }, "the new password is read")
}

// plainByHand is PLAIN as a program of somebody's own would bring along a mechanism that is not built in.
type plainByHand struct {
	user, password string
	err            error
}

func (plainByHand) Mechanism() string { return "PLAIN" }

func (p plainByHand) Begin(context.Context, string) ([]byte, func([]byte) (bool, []byte, error), error) {
	return []byte("\x00" + p.user + "\x00" + p.password), func([]byte) (bool, []byte, error) { return true, nil, nil }, p.err
}

func TestALoginOfOnesOwn(t *testing.T) {
	b := env.SecuredBroker(t)
	config := configFor(t, b.Addr)
	config.Access.TLS = credential.TLS{On: true, CA: b.CA}
	config.Access.Login = plainByHand{b.User, b.Password, nil}
	works(t, config)
	config.Access.Login = plainByHand{b.User, b.Password, errors.New("there is no token")}
	require.Contains(t, refused(t, config), "log in with PLAIN: there is no token")
	config.Access.SASL = "PLAIN"
	require.ErrorContains(t, config.Validate(), "leave the flag out")
}

func TestAccessIsChecked(t *testing.T) {
	for want, a := range map[string]Access{
		"--kafka-user and --kafka-password are of no use without --kafka-sasl":         {User: "u"},
		`--kafka-sasl is "GSSAPI", but must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512`:  {SASL: "gssapi", User: "u", Password: credential.Password{Password: "p"}},
		"--kafka-sasl PLAIN needs --kafka-user, and --kafka-password or --kafka-passw": {SASL: "PLAIN", User: "u"},
		"--kafka-tls-ca is of no use without TLS: set --kafka-tls too":                 {TLS: credential.TLS{CA: "ca.pem"}},
		"--kafka-password-file: the password cannot be read":                           {SASL: "PLAIN", User: "u", Password: credential.Password{PasswordFile: "/nowhere"}},
	} {
		config := configFor(t, "127.0.0.1:1")
		config.Access = a
		require.ErrorContains(t, config.Validate(), want)
	}
}
