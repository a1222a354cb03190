package connection

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/credential"
	"github.com/millrace/millrace/pkg/doctor"
	"github.com/millrace/millrace/test/env/certs"
)

// startSecuredRedis wants TLS with a client's certificate, and a login.
func startSecuredRedis(t *testing.T) (config RedisConfig) {
	t.Helper()
	a, err := certs.New(t.TempDir())
	require.NoError(t, err)
	server, err := a.Sign("redis")
	require.NoError(t, err)
	client, err := a.Sign("client")
	require.NoError(t, err)
	addr := freeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	args := []string{
		"--bind", "127.0.0.1", "--port", "0", "--tls-port", port, "--save", "", "--appendonly", "no", "--dir", t.TempDir(),
		"--tls-cert-file", server.Cert, "--tls-key-file", server.Key, "--tls-ca-cert-file", a.File,
	}
	for _, user := range []string{"default off", "edge on >correct-horse ~millrace:proof:* +get +set +time +hello", "stranger on >correct-horse ~* +hello +time"} {
		args = append(append(args, "--user"), strings.Fields(user)...)
	}
	cmd := exec.Command("redis-server", args...)
	require.NoError(t, cmd.Start(), "the tests need a redis-server that was built with TLS")
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("correct-horse\n"), 0o600))
	config = RedisConfig{
		Redis: "redis://" + addr, User: "edge", Password: credential.Password{PasswordFile: file},
		TLS: credential.TLS{On: true, CA: a.File, Cert: client.Cert, Key: client.Key},
	}
	require.Eventually(t, func() bool { r := examineRedis(t, config); return r.Count(doctor.Fail) == 0 }, 30*time.Second, 20*time.Millisecond)
	return config
}

func examineRedis(t *testing.T, config RedisConfig) (r doctor.Report) {
	t.Helper()
	CheckRedis(t.Context(), config, &r)
	return r
}

// requireRedis looks for a line of the report.
func requireRedis(t *testing.T, config RedisConfig, status doctor.Status, found, change string) {
	t.Helper()
	r := examineRedis(t, config)
	require.NotEmpty(t, r)
	require.Equal(t, "redis", r[0].Check)
	require.Equal(t, status, r[0].Status, r)
	require.Contains(t, r[0].Found, found)
	require.Contains(t, r[0].Change, change)
}

func TestRedisWithTLSAndALogin(t *testing.T) {
	good := startSecuredRedis(t)
	memos, err := NewRedisProofs(good)
	require.NoError(t, err)
	defer memos.Close()
	patient := slow{memos}
	require.NoError(t, patient.Set(t.Context(), anID, []byte("memo")))
	got, err := patient.Get(t.Context(), anID)
	require.NoError(t, err)
	require.Equal(t, "memo", string(got))
	requireRedis(t, good, doctor.OK, "stores proofs", "")

	addr := strings.TrimPrefix(good.Redis, "redis://")
	for change, spoil := range map[string]func(*RedisConfig){
		"--redis-tls-ca":   func(c *RedisConfig) { c.TLS.CA = "" },
		"--redis-tls-cert": func(c *RedisConfig) { c.TLS.Cert, c.TLS.Key = "", "" },
		"--redis-user":     func(c *RedisConfig) { c.Password = credential.Password{Password: "canary"} },
		"grant --redis-user the commands GET, SET, TIME and HELLO": func(c *RedisConfig) { c.User = "stranger" },
		"start it": func(c *RedisConfig) { c.TLS = credential.TLS{} },
	} {
		config := good
		spoil(&config)
		requireRedis(t, config, doctor.Fail, addr, change)
	}
	inURL := RedisConfig{Redis: "rediss://edge:correct-horse@" + addr, TLS: good.TLS}
	inURL.TLS.On = false // the scheme says so
	requireRedis(t, inURL, doctor.OK, "stores proofs", "")
}

func TestCheckRedis(t *testing.T) {
	addr, server := startRedis(t)
	config := RedisConfig{Redis: "redis://" + addr}
	r := examineRedis(t, config)
	requireRedis(t, config, doctor.OK, addr+" stores proofs", "")
	require.Equal(t, "redis clock", r[1].Check)
	require.Equal(t, doctor.OK, r[1].Status)
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer client.Close()
	require.NoError(t, client.Do(context.Background(), "CONFIG", "SET", "requirepass", "x").Err())
	requireRedis(t, config, doctor.Fail, addr, "check --redis-user and --redis-password")
	require.NoError(t, server.Kill())
	requireRedis(t, config, doctor.Fail, addr, "start it or correct --redis")
	requireRedis(t, RedisConfig{}, doctor.OK, "not configured", "")
	requireRedis(t, RedisConfig{Redis: "canary"}, doctor.Fail, "--redis is not of the form", "correct that flag")
}

func TestRedisConfigIsChecked(t *testing.T) {
	for want, config := range map[string]RedisConfig{
		"flags are set without --redis":                 {User: "u"},
		"--redis is not of the form":                    {Redis: "http://canary"},
		"use one of them":                               {Redis: "redis://u:canary@h", Password: credential.Password{Password: "canary"}},
		"--redis-tls-ca is of no use without TLS":       {Redis: "redis://h", TLS: credential.TLS{CA: "f"}},
		"--redis-password-file: the password cannot be": {Redis: "redis://h", Password: credential.Password{PasswordFile: "/nowhere"}},
	} {
		err := config.Validate()
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "canary")
	}
	require.NoError(t, (&RedisConfig{}).Validate())
	require.NoError(t, (&RedisConfig{Redis: "rediss://h"}).Validate())
}

// What a server says of a missing certificate may be lost with the connection.
func TestCheckRedis_ClosedConnection_SuggestsACertificate(t *testing.T) {
	reset := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	require.Contains(t, redisRemedy(reset, &tls.Config{}), "--redis-tls-cert")
	require.Contains(t, redisRemedy(reset, nil), "start it")
	require.Contains(t, redisRemedy(reset, &tls.Config{Certificates: make([]tls.Certificate, 1)}), "start it")
}
