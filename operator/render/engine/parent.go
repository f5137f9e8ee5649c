package main

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// inPart is a chart or kustomization below a folder that is neither.
type inPart struct{ kind, dir, file string }

// partOf tells what a file makes of its folder, when it is no object itself.
func partOf(file string, docs []*document) (inPart, bool) {
	kinds := map[string]string{
		"Chart.yaml":         "chart",
		"kustomization.yaml": "kustomization", "kustomization.yml": "kustomization", kustomizationFile: "kustomization",
	}
	kind, named := kinds[path.Base(file)]
	if !named || slices.ContainsFunc(docs, isObject) {
		return inPart{}, false
	}
	return inPart{kind: kind, dir: path.Dir(file), file: file}, true
}

const kustomizationFile = "Kustomization"

// isObject tells manifests from Kustomize's own file, which may have all that makes one.
func isObject(doc *document) bool {
	return doc.err == nil && !slices.ContainsFunc(doc.objects, func(o *object) bool { return o.group == "kustomize.config.k8s.io" })
}

// refuseParent is told of a folder that holds charts and kustomizations instead of being one; what charts hold in
// their turn is not named. nil where there are none.
func refuseParent(dir string, parts []inPart) *failure {
	if len(parts) == 0 {
		return nil
	}
	if first := parts[0]; first.file == dir {
		return fail("PathIsParent", "%s is the file of a %s. Set spec.source.path to its folder: %s.", dir, first.kind, shown(first.dir)).at(dir, 0)
	}
	var names []string
	var details []detail
	above := ""
	for _, part := range parts {
		if above != "" && strings.HasPrefix(part.dir+"/", above+"/") {
			continue
		}
		if part.kind == "chart" {
			above = part.dir
		}
		names = append(names, part.dir+" ("+part.kind+")")
		details = append(details, detail{File: part.file, Message: fmt.Sprintf("%s is a %s of its own.", part.dir, part.kind)})
	}
	const most = 8
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return &failure{
		Reason:  "PathIsParent",
		Message: fmt.Sprintf("There is no Chart.yaml and no kustomization.yaml in %s, but below it are: %s. Set spec.source.path to one of them, and make an Application for each.", shown(dir), strings.Join(names, ", ")),
		Details: details,
	}
}
