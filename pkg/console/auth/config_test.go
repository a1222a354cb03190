package auth

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

func TestConfig_FlagCombinations(t *testing.T) {
	password := withPassword(t).PasswordFile
	mistaken := filepath.Join(t.TempDir(), "mistaken")
	require.NoError(t, os.WriteFile(mistaken, []byte("canary"), 0o600))
	proxy := []string{"10.0.0.0/8", "::1"}
	for _, c := range []struct {
		listen string
		config Config
		want   string // of the error; none if empty
	}{
		{loopback, Config{}, ""},
		{"[::1]:8081", Config{}, ""},
		{"127.8.9.1:0", Config{}, ""},
		{"LocalHost:8081", Config{}, ""},
		{":8081", Config{}, "set a password"},
		{"0.0.0.0:8081", Config{}, "--console-password-file"},
		{"[::]:8081", Config{}, "--console-proxy-header"},
		{"10.0.0.1:8081", Config{}, "or listen on 127.0.0.1"},
		{"localhost.example.com:8081", Config{}, "set a password"},
		{"127.0.0.1", Config{}, "set a password"}, // no port: not an address
		{":8081", Config{URL: "https://console.example.com", Hosts: []string{"console.example.com"}}, "set a password"},
		{":8081", Config{PasswordFile: password}, ""},
		{":8081", Config{ProxyHeader: "X-Forwarded-User", ProxyFrom: proxy}, ""},
		{":8081", Config{PasswordFile: password, ProxyFrom: proxy}, ""},
		{loopback, Config{PasswordFile: "/nowhere"}, "--console-password-file: read the password's hash: open /nowhere"},
		{loopback, Config{PasswordFile: mistaken}, "contains no password hash: write the output of millrace console hash-password to it"},
		{loopback, Config{ProxyHeader: "X-Forwarded-User"}, "set it to the addresses of the trusted proxies"},
		{loopback, Config{ProxyFrom: proxy}, "--console-proxy-from has no effect without"},
		{loopback, Config{ProxyHeader: "X User", ProxyFrom: proxy}, `"X User" is not a valid header name`},
		{loopback, Config{ProxyHeader: "host", ProxyFrom: proxy}, "is not a valid header name"},
		{loopback, Config{ProxyHeader: "X-User", ProxyFrom: []string{"proxy"}}, `"proxy" is neither an address nor a prefix`},
		{loopback, Config{ProxyHeader: "X-User", ProxyFrom: []string{"10.0.0.1", "0.0.0.0/0"}}, "any client could set a user name"},
		{loopback, Config{ProxyHeader: "X-User", ProxyFrom: []string{"::/0"}}, "any client could set a user name"},
		{loopback, Config{Hosts: []string{"console.example.com", "10.0.0.1", "fd00::1", "[FD00::2]"}}, ""},
		{loopback, Config{Hosts: []string{"console.example.com:8081"}}, "--console-host"},
		{loopback, Config{Hosts: []string{"https://console.example.com"}}, "--console-host"},
		{loopback, Config{Hosts: []string{""}}, "--console-host"},
		{loopback, Config{URL: "https://console.example.com:8443/"}, ""},
		{loopback, Config{URL: "console.example.com"}, "--console-url"},
		{loopback, Config{URL: "ftp://console.example.com"}, "--console-url"},
		{loopback, Config{URL: "https://user@console.example.com"}, "--console-url"},
		{loopback, Config{URL: "https://console.example.com/console"}, "--console-url"},
		{loopback, Config{URL: "https://:8443"}, "--console-url"},
	} {
		err := c.config.Validate(c.listen)
		if c.want == "" {
			require.NoError(t, err, "%s %+v", c.listen, c.config)
			continue
		}
		require.ErrorContains(t, err, c.want, "%s %+v", c.listen, c.config)
		require.NotContains(t, err.Error(), "canary", "the file may contain a password")
	}
}

func TestConfig_FlagsAndVariables(t *testing.T) {
	var config Config
	parser, err := kong.New(&config, kong.DefaultEnvars("MILLRACE"))
	require.NoError(t, err)
	t.Setenv("MILLRACE_CONSOLE_PASSWORD_FILE", "/run/secrets/console")
	_, err = parser.Parse([]string{"--console-proxy-header=X-Forwarded-User", "--console-proxy-from=10.0.0.0/8,10.1.0.1", "--console-host=a,b", "--console-url=https://a"})
	require.NoError(t, err)
	require.Equal(t, Config{
		PasswordFile: "/run/secrets/console", ProxyHeader: "X-Forwarded-User", ProxyFrom: []string{"10.0.0.0/8", "10.1.0.1"},
		Hosts: []string{"a", "b"}, URL: "https://a",
	}, config)
}
