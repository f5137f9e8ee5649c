module github.com/towpath-dev/towpath/operator/render/engine

go 1.26.0

require (
	helm.sh/helm/v4 v4.3.1
	sigs.k8s.io/kustomize/api v0.21.2
)
