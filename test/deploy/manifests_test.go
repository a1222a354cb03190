package deploy

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

// manifests is one rendering, decoded into Kubernetes' types.
type manifests struct {
	Deployments  []apps.Deployment
	StatefulSets []apps.StatefulSet
	Jobs         []batch.Job
	Services     []core.Service
	Scalers      []autoscaling.HorizontalPodAutoscaler
	Budgets      []policy.PodDisruptionBudget
	Policies     []networking.NetworkPolicy
	Monitors     []podMonitor
}

// podMonitor is the part of the Prometheus operator's type that the chart uses.
type podMonitor struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
	Spec       struct {
		Selector  map[string]any `json:"selector"`
		Endpoints []struct {
			Port        string              `json:"port"`
			Interval    string              `json:"interval"`
			Relabelings []map[string]string `json:"relabelings"`
		} `json:"podMetricsEndpoints"`
	} `json:"spec"`
}

// add decodes a document and appends it to list. Unknown and repeated fields are errors.
func add[T any](t *testing.T, list *[]T, document string) {
	t.Helper()
	var one T
	require.NoError(t, yaml.UnmarshalStrict([]byte(document), &one), document)
	*list = append(*list, one)
}

func decode(t *testing.T, text string) (m manifests) {
	t.Helper()
	for document := range strings.SplitSeq(text, "\n---\n") {
		var head struct{ APIVersion, Kind string }
		require.NoError(t, yaml.Unmarshal([]byte(document), &head))
		switch head.APIVersion + " " + head.Kind {
		case "apps/v1 Deployment":
			add(t, &m.Deployments, document)
		case "apps/v1 StatefulSet":
			add(t, &m.StatefulSets, document)
		case "batch/v1 Job":
			add(t, &m.Jobs, document)
		case "v1 Service":
			add(t, &m.Services, document)
		case "autoscaling/v2 HorizontalPodAutoscaler":
			add(t, &m.Scalers, document)
		case "policy/v1 PodDisruptionBudget":
			add(t, &m.Budgets, document)
		case "networking.k8s.io/v1 NetworkPolicy":
			add(t, &m.Policies, document)
		case "monitoring.coreos.com/v1 PodMonitor":
			add(t, &m.Monitors, document)
		default:
			t.Fatalf("%q is no kind that is known here:\n%s", head, document)
		}
	}
	return m
}

// pods are all pod templates, by component.
func (m *manifests) pods() map[string]core.PodTemplateSpec {
	all := map[string]core.PodTemplateSpec{}
	for _, d := range m.Deployments {
		all["edge"] = d.Spec.Template
	}
	for _, s := range m.StatefulSets {
		all["loader"] = s.Spec.Template
	}
	for _, j := range m.Jobs {
		all["setup"] = j.Spec.Template
	}
	return all
}

func eachRendering(t *testing.T, check func(t *testing.T, m manifests)) {
	for name, text := range values {
		t.Run(name, func(t *testing.T) { check(t, decode(t, render(t, text))) })
	}
}

// The program of a container knows all its variables, and accepts their values.
func TestChart_Containers_AcceptTheirVariables(t *testing.T) {
	eachRendering(t, func(t *testing.T, m manifests) {
		for component, pod := range m.pods() {
			for _, c := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
				program := c.Name
				if component == "setup" {
					program = "millrace"
				}
				env := given(t, c.Env)
				if component == "setup" { // what is for all programs is for both of its containers
					takesSome(t, program, env, []string{"topics"}, []string{"migrate"}, []string{"connections", "list"}, []string{"up"})
					continue
				}
				takes(t, program, env, c.Args...)
			}
		}
	})
}

// given returns a container's variables, with valid values for those from Secrets.
func given(t *testing.T, list []core.EnvVar) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, v := range list {
		switch {
		case v.ValueFrom == nil:
			env[v.Name] = v.Value
		case v.ValueFrom.SecretKeyRef != nil:
			require.NotEmpty(t, v.ValueFrom.SecretKeyRef.Name)
			require.NotEmpty(t, v.ValueFrom.SecretKeyRef.Key)
			env[v.Name] = map[string]string{"MILLRACE_TOKEN_KEY": secrets["MILLRACE_TOKEN_KEY"], "MILLRACE_REDIS": "redis://redis:6379/0", "MILLRACE_CLICKHOUSE_PASSWORD": "p"}[v.Name]
			require.NotEmpty(t, env[v.Name], v.Name)
		default:
			require.Equal(t, "MILLRACE_INSTANCE_ID", v.Name)
			require.Equal(t, "metadata.name", v.ValueFrom.FieldRef.FieldPath)
			env[v.Name] = "millrace-loader-0"
		}
	}
	return env
}

var secretish = regexp.MustCompile(`(?i)key$|password|secret|redis`)

// Secret values come from Secrets only.
func TestChart_Secrets_ComeFromSecrets(t *testing.T) {
	eachRendering(t, func(t *testing.T, m manifests) {
		for _, pod := range m.pods() {
			for _, c := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
				for _, v := range c.Env {
					if secretish.MatchString(v.Name) && !strings.HasPrefix(v.Value, "/") { // a file's name is none
						require.NotNil(t, v.ValueFrom, v.Name)
						require.NotNil(t, v.ValueFrom.SecretKeyRef, v.Name)
					}
				}
			}
		}
	})
}

// Container ports are those that the programs listen on, and all references to ports exist.
func TestChart_Ports_Match(t *testing.T) {
	eachRendering(t, func(t *testing.T, m manifests) {
		named := map[string]map[string]int32{}
		for component, pod := range m.pods() {
			named[component] = map[string]int32{}
			for _, c := range pod.Spec.Containers {
				env := given(t, c.Env)
				for _, p := range c.Ports {
					named[component][p.Name] = p.ContainerPort
					require.Equal(t, fmt.Sprintf("0.0.0.0:%d", p.ContainerPort), env["MILLRACE_"+strings.ToUpper(p.Name)])
				}
				if component != "setup" {
					for _, probe := range []*core.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
						require.Contains(t, named[component], probe.HTTPGet.Port.StrVal)
					}
					require.Equal(t, "/readyz", c.ReadinessProbe.HTTPGet.Path)
				}
			}
		}
		for _, s := range m.Services {
			for _, p := range s.Spec.Ports {
				require.Contains(t, named[s.Spec.Selector["app.kubernetes.io/component"]], p.TargetPort.StrVal)
			}
		}
		for _, p := range m.Policies {
			for _, rule := range p.Spec.Ingress {
				require.Contains(t, named[p.Spec.PodSelector.MatchLabels["app.kubernetes.io/component"]], rule.Ports[0].Port.StrVal)
			}
		}
		for _, monitor := range m.Monitors {
			require.Equal(t, "admin", monitor.Spec.Endpoints[0].Port)
		}
	})
}

// Every selector matches its own pods only.
func TestChart_Selectors_MatchTheirPods(t *testing.T) {
	eachRendering(t, func(t *testing.T, m manifests) {
		pods := m.pods()
		expect := func(selector map[string]string, component string) {
			t.Helper()
			require.NotEmpty(t, selector)
			for of, pod := range pods {
				met := true
				for label, value := range selector {
					met = met && pod.Labels[label] == value
				}
				require.Equal(t, of == component, met, "%s, of %s", of, component)
			}
		}
		expect(m.Deployments[0].Spec.Selector.MatchLabels, "edge")
		expect(m.StatefulSets[0].Spec.Selector.MatchLabels, "loader")
		for _, s := range m.Services {
			expect(s.Spec.Selector, strings.TrimPrefix(s.Name, "millrace-"))
		}
		for _, b := range m.Budgets {
			expect(b.Spec.Selector.MatchLabels, strings.TrimPrefix(b.Name, "millrace-"))
		}
		for _, p := range m.Policies {
			expect(p.Spec.PodSelector.MatchLabels, strings.TrimPrefix(p.Name, "millrace-"))
		}
		for _, s := range m.Scalers {
			require.Contains(t, []string{"Deployment " + m.Deployments[0].Name, "StatefulSet " + m.StatefulSets[0].Name}, s.Spec.ScaleTargetRef.Kind+" "+s.Spec.ScaleTargetRef.Name)
		}
		require.Equal(t, m.StatefulSets[0].Spec.ServiceName, m.Services[len(m.Services)-1].Name)
	})
}

// No container runs as root, writes to its image, or mounts a service account token.
func TestChart_Pods_AreConfined(t *testing.T) {
	eachRendering(t, func(t *testing.T, m manifests) {
		for component, pod := range m.pods() {
			require.True(t, *pod.Spec.SecurityContext.RunAsNonRoot, component)
			require.False(t, *pod.Spec.AutomountServiceAccountToken, component)
			for _, c := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
				require.True(t, *c.SecurityContext.ReadOnlyRootFilesystem, component)
				require.False(t, *c.SecurityContext.AllowPrivilegeEscalation, component)
				require.Equal(t, []core.Capability{"ALL"}, c.SecurityContext.Capabilities.Drop, component)
			}
		}
	})
}

// The grace period of a pod exceeds the default shutdown time of its program: 5 s for load balancers, and 15 s.
func TestChart_GracePeriod_ExceedsShutdown(t *testing.T) {
	eachRendering(t, func(t *testing.T, m manifests) {
		edge := m.Deployments[0].Spec.Template.Spec
		require.Greater(t, *edge.TerminationGracePeriodSeconds, edge.Containers[0].Lifecycle.PreStop.Sleep.Seconds+15)
		require.Greater(t, *m.StatefulSets[0].Spec.Template.Spec.TerminationGracePeriodSeconds, int64(15))
	})
}

// With autoscaling the replicas are not set otherwise, and the scaler uses an existing metric.
func TestChart_Scalers(t *testing.T) {
	all := metrics(t)
	m := decode(t, render(t, values["most"]))
	require.Nil(t, m.Deployments[0].Spec.Replicas)
	require.Nil(t, m.StatefulSets[0].Spec.Replicas)
	asked := 0
	for _, s := range m.Scalers {
		for _, metric := range s.Spec.Metrics {
			if metric.Pods != nil {
				require.Contains(t, all, metric.Pods.Metric.Name)
				asked++
			}
			if metric.External != nil {
				require.Contains(t, all, metric.External.Metric.Name)
				asked++
			}
		}
	}
	require.Equal(t, 2, asked)
	bare := decode(t, render(t, values["bare"]))
	require.Equal(t, int32(1), *bare.Deployments[0].Spec.Replicas)
	require.Nil(t, bare.StatefulSets[0].Spec.Replicas, "somebody else says how many")
}
