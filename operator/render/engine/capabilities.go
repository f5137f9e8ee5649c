package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// capabilities is what templates see as .Capabilities: Helm's own, with methods in place of fields, so that what a
// render reads of it is known, and is an input of it. The field is exported for Sprig's deepCopy, which leaves out
// what is not: charts copy the whole of `.` with it.
type capabilities struct{ Of *common.Capabilities }

// KubeVersion is a pointer where Helm has a struct: a method's result has no address, without which templates find
// neither its String nor its GitVersion. printf and kindOf tell the difference.
func (c *capabilities) KubeVersion() *common.KubeVersion {
	asked.note("kubeVersion")
	return &c.Of.KubeVersion
}

func (c *capabilities) APIVersions() versionSet {
	asked.listed = true
	return versionSet(c.Of.APIVersions)
}

// HelmVersion is this program's own, and changes with it alone.
func (c *capabilities) HelmVersion() any { return c.Of.HelmVersion }

// MarshalJSON and Format are for whoever writes all of it down; templates print what a pointer points to.
func (c capabilities) MarshalJSON() ([]byte, error) {
	asked.noteAll()
	return json.Marshal(c.Of)
}

func (c capabilities) Format(state fmt.State, verb rune) {
	asked.noteAll()
	fmt.Fprintf(state, fmt.FormatString(state, verb), c.Of)
}

// versionSet is a list as Helm's, which templates may go through by whatever means.
type versionSet []string

func (v versionSet) Has(apiVersion string) bool {
	asked.note("has " + apiVersion)
	return slices.Contains(v, apiVersion)
}

// asked notes what the render at hand reads. A process has one at a time, and a list has no room for it.
var asked = newReads()

func newReads() *reads { return &reads{names: map[string]bool{}} }

type reads struct {
	names map[string]bool
	// The list of versions was taken; Has notes itself what it was asked.
	listed bool
}

const everyVersion = "apiVersions"

// maxReads and maxRead bound what is noted one by one: how many, and bytes of each.
const maxReads, maxRead = 500, 300

func (r *reads) note(name string) {
	if len(r.names) >= maxReads || len(name) > maxRead {
		name = everyVersion
	}
	r.names[name] = true
}

func (r *reads) noteAll() {
	r.note("kubeVersion")
	r.note(everyVersion)
}

// bare matches a use of the list that is no question whether it has something.
var bare = regexp.MustCompile(`\bAPIVersions\b(?:[^.]|\.[^H]|$)`)

// noteLists notes the list as a whole where it was taken, and a template does more with it than to ask Has: one of
// the chart's own, or a text in its values and files, which may be a template for tpl.
func (r *reads) noteLists(c *chart.Chart, values common.Values) {
	if !r.listed {
		return
	}
	text, err := json.Marshal(values)
	if err != nil || bare.Match(text) || usesList(c) {
		r.note(everyVersion)
	}
}

func usesList(c *chart.Chart) bool {
	for _, file := range slices.Concat(c.Templates, c.Files) {
		if bare.Match(file.Data) {
			return true
		}
	}
	return slices.ContainsFunc(c.Dependencies(), usesList)
}
