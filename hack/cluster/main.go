// Command cluster is a whole Kubernetes control plane in one program: which
// component it is, its first argument says. Built from the Go module proxy
// alone, so that the tests and the demo need no image and no prebuilt binary.
package main

import (
	"fmt"
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"

	// The components' own main packages import these for their side effects.
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

const usage = `usage: cluster COMPONENT [arguments]

components:
  etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl
  certificate HOST...       prints a new authority, server and client certificate as JSON`

func main() {
	if len(os.Args) < 2 {
		fail(usage)
	}
	component := os.Args[1]
	// Each component reads os.Args as if it had been started by itself.
	os.Args = append([]string{component}, os.Args[2:]...)
	switch component {
	case "etcd":
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "kube-controller-manager":
		os.Exit(cli.Run(controllermanager.NewControllerManagerCommand()))
	case "kube-scheduler":
		os.Exit(cli.Run(scheduler.NewSchedulerCommand()))
	case "kubectl":
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			// kubectl's own errors have been printed and have ended the process by now.
			fail(err.Error())
		}
	case "certificate":
		if err := printCertificates(os.Args[1:]); err != nil {
			fail(err.Error())
		}
	default:
		fail(usage)
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(2)
}
