package main

import (
	"context"
	"path"
	"regexp"
	"strconv"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	helm "helm.sh/helm/v4/pkg/engine"
)

// renderTemplates executes the templates of a chart and its subcharts with Helm's own engine: no client, so that
// `lookup` finds nothing, and no DNS. files has their repository paths by the names that Helm gives them.
func renderTemplates(c *chart.Chart, top common.Values, req *request, files map[string]string) (map[string]string, error) {
	rendered, err := helm.Engine{}.RenderWithContext(context.Background(), c, top)
	if err != nil {
		return nil, templateFailure(err, files)
	}
	total := 0
	for _, text := range rendered {
		total += len(text)
	}
	if total > req.MaxOutputBytes {
		return nil, fail("RenderTooLarge", "The templates of %s write more than %d MiB. Split it into several Applications.", shown(req.Path), req.MaxOutputBytes>>20)
	}
	return rendered, nil
}

// locateTemplates notes the repository path of each template of a chart and its subcharts by Helm's name for it,
// as `web/charts/db/templates/x.yaml`.
func locateTemplates(c *chart.Chart, where places, files map[string]string) {
	for _, template := range c.Templates {
		files[path.Join(c.ChartFullPath(), template.Name)] = where[template]
	}
	for _, child := range c.Dependencies() {
		locateTemplates(child, where, files)
	}
}

var templatePlace = regexp.MustCompile(`([^\s()"]+?):(\d+)(?::(\d+))?`)

// Helm's engine refuses what is included in itself for the 1,000th time, and quotes the error of each level.
var endlessInclude = regexp.MustCompile(`rendering template has a nested reference name: (\S+):`)

// templateFailure names repository paths instead of Helm's names of templates, and says where it failed.
func templateFailure(err error, files map[string]string) error {
	text := err.Error()
	reason, advice := "RenderFailed", "Correct the template or its values."
	if strings.HasPrefix(text, "parse error") {
		reason, advice = "ChartInvalid", "Correct the template."
	}
	if endless := endlessInclude.FindStringSubmatch(text); endless != nil {
		outermost := templatePlace.FindString(text)
		text = outermost + ": templates include each other without end: " + endless[1] + " comes back to itself"
		advice = "Correct the template."
	}
	var first *detail
	named := templatePlace.ReplaceAllStringFunc(shorten(strings.TrimSpace(text)), func(found string) string {
		parts := templatePlace.FindStringSubmatch(found)
		file, ok := files[parts[1]]
		if !ok {
			return found
		}
		if first == nil {
			line, _ := strconv.Atoi(parts[2])
			first = &detail{File: file, Line: line}
		}
		return file + strings.TrimPrefix(found, parts[1])
	})
	f := fail(reason, "%s", sentence(oneLine(named)))
	if first != nil {
		first.Message = f.Message
		f.Details = []detail{*first}
	}
	f.Message += " " + advice
	return f
}
