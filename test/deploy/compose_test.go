package deploy

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

// secrets are the contents of .env.
var secrets = map[string]string{
	"MILLRACE_TOKEN_KEY":  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	"CLICKHOUSE_PASSWORD": "7d4b1c",
	"GRAFANA_PASSWORD":    "a86f0e",
}

func loadCompose(t *testing.T, env map[string]string) (*types.Project, error) {
	t.Helper()
	dir, err := filepath.Abs(root)
	require.NoError(t, err)
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  dir,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, "docker-compose.yml")}},
		Environment: env,
	}, func(o *loader.Options) { o.Profiles = []string{"*"} })
}

func compose(t *testing.T) *types.Project {
	t.Helper()
	project, err := loadCompose(t, secrets)
	require.NoError(t, err)
	return project
}

// Nothing starts with a missing or empty secret, and .env.example lists all of them without values.
func TestCompose_MissingSecrets_AreRefused(t *testing.T) {
	example, err := os.ReadFile(filepath.Join(root, ".env.example"))
	require.NoError(t, err)
	names := regexp.MustCompile(`(?m)^([A-Z_]+)=(.*)$`).FindAllStringSubmatch(string(example), -1)
	require.Len(t, names, len(secrets))
	for _, found := range names {
		require.Contains(t, secrets, found[1])
		require.Empty(t, found[2])
		env := map[string]string{}
		for name, value := range secrets {
			env[name] = value
		}
		env[found[1]] = ""
		_, err := loadCompose(t, env)
		require.ErrorContains(t, err, "set it in .env", found[1])
	}
}

// ours are the services that run our programs.
func ours(s *types.ServiceConfig) (program string, ok bool) {
	if s.Build == nil {
		return "", false
	}
	return s.Build.Target, true
}

func TestCompose_OurServices_AcceptTheirVariables(t *testing.T) {
	dockerfile, err := os.ReadFile(filepath.Join(root, "deploy", "Dockerfile"))
	require.NoError(t, err)
	programs := map[string]int{}
	for name, s := range compose(t).Services {
		program, ok := ours(&s)
		if !ok {
			continue
		}
		programs[program]++
		env := map[string]string{}
		for variable, value := range s.Environment {
			require.NotNil(t, value, "%s: %s", name, variable)
			env[variable] = *value
		}
		args := []string(s.Command)
		if name == "millrace" {
			takesSome(t, program, env, []string{"connections", "create"}, []string{"sql"}, []string{"migrate"})
		} else {
			takes(t, program, env, args...)
		}
		require.Contains(t, string(dockerfile), " AS "+program+"\n")
		require.True(t, s.ReadOnly, name)
		require.Equal(t, []string{"ALL"}, s.CapDrop, name)
		require.Empty(t, s.Volumes, "%s has nothing to keep", name)
	}
	require.Equal(t, map[string]int{"edge": 1, "loader": 1, "millrace": 3}, programs)
}

// takesSome is takes for a service whose command the user chooses.
func takesSome(t *testing.T, program string, env map[string]string, commands ...[]string) {
	t.Helper()
	var names []string
	for _, command := range commands {
		names = append(names, variables(t, program, command...)...)
	}
	for name := range env {
		require.Contains(t, names, name, "no command of %s knows it", program)
	}
}

// Each address in a variable of our services is a service with that port.
func TestCompose_Addresses_Exist(t *testing.T) {
	project := compose(t)
	listens := map[string][]string{"kafka": {"9092"}, "clickhouse": {"9000", "8123"}, "redis": {"6379"}}
	address := regexp.MustCompile(`\b(kafka|clickhouse|redis):(\d+)`)
	met := 0
	for name, s := range project.Services {
		for variable, value := range s.Environment {
			for _, found := range address.FindAllStringSubmatch(*value, -1) {
				if found[1] != name {
					require.Contains(t, listens[found[1]], found[2], "%s: %s", name, variable)
					met++
				}
			}
		}
	}
	require.Equal(t, 9, met, "4 of Kafka, 4 of ClickHouse, 1 of Redis")
	require.Contains(t, *project.Services["kafka"].Environment["KAFKA_LISTENERS"], "PLAINTEXT://:9092")
	for _, name := range []string{"edge", "loader"} {
		s := project.Services[name]
		_, port, err := net.SplitHostPort(*s.Environment["MILLRACE_ADMIN"])
		require.NoError(t, err)
		prometheus, err := os.ReadFile(filepath.Join(root, "deploy", "prometheus", "prometheus.yml"))
		require.NoError(t, err)
		require.Contains(t, string(prometheus), "names: ["+name+"], type: A, port: "+port)
		require.Equal(t, types.HealthCheckTest{"CMD", "/" + name, "--healthcheck"}, s.HealthCheck.Test)
	}
	require.Equal(t, "8080", project.Services["edge"].Ports[0].Published)
	require.True(t, strings.HasSuffix(*project.Services["edge"].Environment["MILLRACE_HTTP"], ":8080"))
	for name, s := range project.Services {
		for _, port := range s.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, "%s is not for strangers", name)
		}
	}
}

// Services start after the topics and tables that they need, and each service that others wait for has a health check.
func TestCompose_StartOrder(t *testing.T) {
	project := compose(t)
	for _, want := range []struct{ service, after, condition string }{
		{"topics", "kafka", types.ServiceConditionHealthy},
		{"migrate", "clickhouse", types.ServiceConditionHealthy},
		{"edge", "topics", types.ServiceConditionCompletedSuccessfully},
		{"loader", "topics", types.ServiceConditionCompletedSuccessfully},
		{"loader", "migrate", types.ServiceConditionCompletedSuccessfully},
	} {
		require.Equal(t, want.condition, project.Services[want.service].DependsOn[want.after].Condition, "%s after %s", want.service, want.after)
	}
	for name, s := range project.Services {
		for after, dependency := range s.DependsOn {
			if dependency.Condition == types.ServiceConditionHealthy {
				require.NotNil(t, project.Services[after].HealthCheck, "%s waits for %s", name, after)
			}
		}
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind {
				require.FileExists(t, firstFile(t, v.Source), "%s mounts it", name)
			}
		}
	}
}

func firstFile(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.NotEmpty(t, found, dir)
	for {
		entries, err := os.ReadDir(found[0])
		if err != nil {
			return found[0]
		}
		found[0] = filepath.Join(found[0], entries[0].Name())
	}
}
