package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"path"
	"regexp"
	"strings"

	chart "helm.sh/helm/v4/pkg/chart/v2"
)

const (
	lfsPointer = "version https://git-lfs.github.com/spec/"
	// No pointer is larger (git-lfs, docs/spec.md).
	maxPointer = 1024
)

func isPointer(data []byte) bool {
	return len(data) <= maxPointer && bytes.HasPrefix(data, []byte(lfsPointer)) && bytes.Contains(data, []byte("\noid "))
}

// pointerFailure is told of a pointer that a render reads: what stands in it is not what was meant.
func pointerFailure(file string) *failure {
	reason := "LFSPointer"
	if path.Base(file) == "values.yaml" {
		reason = "ValuesFileIsLFSPointer"
	}
	return fail(reason, "%s is a Git LFS pointer, which is not followed: what it stands for is not in the repository. Commit the file itself, without Git LFS.", file).at(file, 0)
}

// chartPart matches what Helm itself reads of a chart, and of those in its folder charts: what else is in it may be
// in Git LFS as long as no template reads it.
var chartPart = regexp.MustCompile(`^(?:charts/[^/]+/)*(?:templates/.*|crds/.*|charts/[^/]+\.tgz|(?:Chart|values|requirements)\.yaml|(?:Chart|requirements)\.lock|values\.schema\.json)$`)

// aPointer is the error of a chart one of whose parts is a pointer: a path within the chart.
type aPointer struct{ file string }

func (p aPointer) Error() string { return p.file + " is a Git LFS pointer" }

// refusePointers refuses the files of a chart before it is loaded: Helm would call a pointer bad YAML or bad gzip.
func refusePointers(files []*bufferedFile) error {
	for _, f := range files {
		if isPointer(f.Data) && chartPart.MatchString(f.Name) {
			return aPointer{f.Name}
		}
	}
	return nil
}

// refusePacked refuses a chart whose subcharts, packed where pointers stood, hold some.
func refusePacked(c *chart.Chart, above string) error {
	for _, child := range c.Dependencies() {
		dir := path.Join(above, "charts", child.Name())
		for _, f := range child.Raw {
			if isPointer(f.Data) && chartPart.MatchString(f.Name) {
				return aPointer{path.Join(dir, f.Name)}
			}
		}
		if err := refusePacked(child, dir); err != nil {
			return err
		}
	}
	return nil
}

// refuseReadPointers refuses a chart of which a template has read a pointer with .Files: its text, or what is made
// of it in whole, is in what was rendered.
func refuseReadPointers(c *chart.Chart, rendered map[string]string, where places) error {
	for _, f := range c.Files {
		if !isPointer(f.Data) {
			continue
		}
		for name, text := range rendered {
			if !strings.HasSuffix(name, "NOTES.txt") && holdsPointer(text, f.Data) {
				return pointerFailure(where[f])
			}
		}
	}
	for _, child := range c.Dependencies() {
		if err := refuseReadPointers(child, rendered, where); err != nil {
			return err
		}
	}
	return nil
}

func holdsPointer(text string, pointer []byte) bool {
	_, oid, _ := bytes.Cut(pointer, []byte("\noid "))
	oid, _, _ = bytes.Cut(oid, []byte("\n"))
	sum := sha256.Sum256(pointer)
	forms := []string{"oid " + string(bytes.TrimSpace(oid)), base64.StdEncoding.EncodeToString(pointer), hex.EncodeToString(sum[:])}
	for _, form := range forms {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}
