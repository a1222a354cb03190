// What is deployed is checked in a module of its own, so that Helm, Kubernetes and Prometheus weigh on nothing else.
module github.com/millrace/millrace/deploy

go 1.26.0

require (
	github.com/compose-spec/compose-go/v2 v2.16.2
	github.com/prometheus/common v0.72.0
	github.com/prometheus/prometheus v0.316.0
	github.com/stretchr/testify v1.12.1
	helm.sh/helm/v3 v3.22.0
	k8s.io/api v0.37.1
	sigs.k8s.io/yaml v1.6.0
)
