// The baseline of the benchmarks: the whole job of a render with Helm's SDK, as a straight program does it: load
// the chart, render, sort, convert to JSON. For each line on stdin, the values as YAML in one line, it does it
// once and prints how many nanoseconds that took and how many objects there were.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/yaml"
)

func main() {
	chart := flag.String("chart", "", "directory of the chart")
	flag.Parse()
	log.SetOutput(io.Discard)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		start := time.Now()
		objects, err := job(*chart, lines.Text())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(time.Since(start).Nanoseconds(), objects)
	}
}

func job(dir, text string) (objects int, err error) {
	values, err := loader.LoadValues(strings.NewReader(text))
	if err != nil {
		return 0, err
	}
	c, err := loader.LoadDir(dir)
	if err != nil {
		return 0, err
	}
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return 0, err
	}
	version, err := common.ParseKubeVersion("v1.37.2")
	if err != nil {
		return 0, err
	}
	capabilities := common.DefaultCapabilities.Copy()
	capabilities.KubeVersion = *version
	options := common.ReleaseOptions{Name: "sample", Namespace: "bench", Revision: 1, IsInstall: true}
	top, err := util.ToRenderValues(c, values, options, capabilities)
	if err != nil {
		return 0, err
	}
	files, err := engine.Render(c, top)
	if err != nil {
		return 0, err
	}
	for name := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(files, name)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return 0, err
	}
	var texts []string
	for _, crd := range c.CRDObjects() {
		texts = append(texts, string(crd.File.Data))
	}
	for _, manifest := range manifests {
		texts = append(texts, manifest.Content)
	}
	for _, hook := range hooks {
		texts = append(texts, hook.Manifest)
	}
	for _, text := range texts {
		if _, err := yaml.YAMLToJSON([]byte(text)); err != nil {
			return 0, err
		}
	}
	return len(texts), nil
}
