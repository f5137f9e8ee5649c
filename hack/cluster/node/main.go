// Command node is what a machine needs to be a node of a cluster, but for the
// container runtime, in one program: which component it is, its first argument
// says.
package main

import (
	"context"
	"fmt"
	"os"

	"k8s.io/component-base/cli"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	// The components' own main packages import these for their side effects.
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

const usage = "usage: node kubelet|kube-proxy [arguments]"

func main() {
	if len(os.Args) < 2 {
		fail(usage)
	}
	component := os.Args[1]
	// Each component reads os.Args as if it had been started by itself.
	os.Args = append([]string{component}, os.Args[2:]...)
	switch component {
	case "kubelet":
		os.Exit(cli.Run(kubelet.NewKubeletCommand(context.Background())))
	case "kube-proxy":
		os.Exit(cli.Run(proxy.NewProxyCommand()))
	default:
		fail(usage)
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(2)
}
