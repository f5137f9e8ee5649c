/*
Copyright The Helm Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package helmengine

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"text/template"
	"text/template/parse"

	chart "helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/chart/common"
)

// ErrOutputTooLarge ends a render whose templates write more than they may.
var ErrOutputTooLarge = errors.New("the templates write more than is allowed")

// Renderable is one template file with the values of its chart's scope.
type Renderable struct {
	File     *common.File
	vals     common.Values
	basePath string
}

// Scope returns every template of a chart and its dependencies by name (`web/charts/db/templates/x.yaml`), each
// with its values; `values` are as util.ToRenderValues makes them.
func Scope(c chart.Charter, values common.Values) (map[string]Renderable, error) {
	templates := make(map[string]Renderable)
	_, err := scopeChart(c, templates, values)
	return templates, err
}

func scopeChart(c chart.Charter, templates map[string]Renderable, values common.Values) (map[string]any, error) {
	vals := values.AsMap()
	subCharts := make(map[string]any)
	accessor, err := chart.NewAccessor(c)
	if err != nil {
		return nil, err
	}
	metadata := accessor.MetadataAsMap()
	metadata["IsRoot"] = accessor.IsRoot()
	next := map[string]any{
		"Chart":        metadata,
		"Files":        newFiles(accessor.Files()),
		"Release":      vals["Release"],
		"Capabilities": vals["Capabilities"],
		"Values":       make(common.Values),
		"Subcharts":    subCharts,
	}
	if accessor.IsRoot() {
		next["Values"] = vals["Values"]
	} else if vs, err := values.Table("Values." + accessor.Name()); err == nil {
		next["Values"] = vs
	}
	for _, child := range accessor.Dependencies() {
		sub, err := chart.NewAccessor(child)
		if err != nil {
			return nil, err
		}
		if subCharts[sub.Name()], err = scopeChart(child, templates, next); err != nil {
			return nil, err
		}
	}
	parent := accessor.ChartFullPath()
	for _, t := range accessor.Templates() {
		if t == nil || accessor.IsLibraryChart() && !strings.HasPrefix(filepath.Base(t.Name), "_") {
			continue
		}
		templates[path.Join(parent, t.Name)] = Renderable{File: t, vals: next, basePath: path.Join(parent, "templates")}
	}
	return next, nil
}

// Names returns the templates' names in the order in which Helm parses and executes them.
func Names(templates map[string]Renderable) []string {
	keys := slices.Collect(maps.Keys(templates))
	sort.Sort(sort.Reverse(byPathLen(keys)))
	return keys
}

// Set is a chart's parsed templates. It is not safe for concurrent use.
type Set struct {
	names []string
	funcs template.FuncMap
	base  *template.Template
	// Texts given to the template function `tpl`, parsed, and the sum of their lengths.
	tpl      map[string]map[string]*parse.Tree
	tplBytes int
}

const maxKeptTplBytes = 1 << 20

// Parse parses all templates.
func Parse(templates map[string]Renderable) (*Set, error) {
	funcs := functions()
	base := template.New("gotpl").Option("missingkey=zero").Funcs(funcs)
	names := Names(templates)
	for _, name := range names {
		if _, err := base.New(name).Parse(string(templates[name].File.Data)); err != nil {
			return nil, cleanupParseError(name, err)
		}
	}
	return &Set{names: names, funcs: funcs, base: base, tpl: map[string]map[string]*parse.Tree{}}, nil
}

// Render executes the templates; `templates` has the files that the set was parsed from. The templates may
// write maxBytes together.
func (s *Set) Render(templates map[string]Renderable, maxBytes int) (rendered map[string]string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("rendering template failed: %v", r)
		}
	}()
	t, err := s.base.Clone()
	if err != nil {
		return nil, err
	}
	// Clone forgets the option, see https://github.com/golang/go/issues/43022
	t.Option("missingkey=zero")
	e := execution{set: s, nested: map[string]int{}, left: maxBytes}
	t.Funcs(template.FuncMap{"include": e.include(t), "tpl": e.tpl(t)})
	rendered = make(map[string]string, len(s.names))
	for _, name := range s.names {
		if strings.HasPrefix(path.Base(name), "_") {
			continue
		}
		r := templates[name]
		r.vals["Template"] = common.Values{"Name": name, "BasePath": r.basePath}
		out := bounded{left: e.left}
		if err := t.ExecuteTemplate(&out, name, r.vals); err != nil {
			if errors.Is(err, ErrOutputTooLarge) {
				return nil, ErrOutputTooLarge
			}
			return nil, reformatExecErrorMsg(name, err)
		}
		e.left = out.left
		rendered[name] = strings.ReplaceAll(out.String(), "<no value>", "")
	}
	return rendered, nil
}

// bounded collects what a template writes and refuses to grow beyond a limit.
type bounded struct {
	strings.Builder
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, ErrOutputTooLarge
	}
	return b.Builder.Write(p)
}

const (
	warnStartDelim   = "HELM_ERR_START"
	warnEndDelim     = "HELM_ERR_END"
	recursionMaxNums = 1000
)

var warnRegex = regexp.MustCompile(warnStartDelim + `((?s).*)` + warnEndDelim)

func warnWrap(warn string) string {
	return warnStartDelim + warn + warnEndDelim
}

// execution is the state of one render.
type execution struct {
	set *Set
	// calls are the names of the templates that are being included, the outermost first; tplCall stands for
	// a text given to tpl.
	calls   []string
	nested  map[string]int
	endless error
	left    int
}

const tplCall = "tpl"

// within runs what a call of include or of tpl executes, and refuses one that is nested without end, as Helm
// refuses an include. Helm's error quotes the error of each level in that of the next, which takes seconds and
// hundreds of megabytes for a thousand levels, and lets tpl nest until the memory ends; here it is one error.
func (e *execution) within(name string, run func() error) error {
	if e.nested[name] > recursionMaxNums && e.endless == nil {
		e.endless = fmt.Errorf("templates include each other without end: %s", e.circleOf(name))
	}
	if e.endless != nil {
		return e.endless
	}
	e.nested[name]++
	e.calls = append(e.calls, name)
	err := run()
	e.calls = e.calls[:len(e.calls)-1]
	e.nested[name]--
	if e.endless != nil {
		return e.endless
	}
	return err
}

// circleOf is how the template came to include itself: "a, b, a".
func (e *execution) circleOf(name string) string {
	const shown = 8
	circle := []string{name}
	for at := len(e.calls) - 1; at >= 0; at-- {
		circle = append(circle, e.calls[at])
		if e.calls[at] == name {
			break
		}
	}
	slices.Reverse(circle)
	if len(circle) > shown {
		circle = append(circle[:shown], "…")
	}
	return strings.Join(circle, ", ")
}

func (e *execution) include(t *template.Template) func(string, any) (string, error) {
	return func(name string, data any) (string, error) {
		buf := bounded{left: e.left}
		err := e.within(name, func() error { return t.ExecuteTemplate(&buf, name, data) })
		return buf.String(), err
	}
}

func (e *execution) tpl(parent *template.Template) func(string, any) (string, error) {
	return func(text string, vals any) (string, error) {
		// Text without actions is its own result; most values given to tpl are such.
		if !strings.Contains(text, "{{") {
			return strings.ReplaceAll(text, "<no value>", ""), nil
		}
		t, err := parent.Clone()
		if err != nil {
			return "", fmt.Errorf("cannot clone template: %w", err)
		}
		t.Option("missingkey=zero")
		// Bound to the clone, so that a `define` inside the text can be included.
		t.Funcs(template.FuncMap{"include": e.include(t), "tpl": e.tpl(t)})
		if t, err = e.set.parseTpl(t.New(parent.Name()), text); err != nil {
			return "", fmt.Errorf("cannot parse template %q: %w", text, err)
		}
		buf := bounded{left: e.left}
		if err := e.within(tplCall, func() error { return t.Execute(&buf, vals) }); err != nil {
			if e.endless != nil {
				return "", err
			}
			return "", fmt.Errorf("error during tpl function execution for %q: %w", text, err)
		}
		return strings.ReplaceAll(buf.String(), "<no value>", ""), nil
	}
}

// parseTpl is t.Parse(text), parsing each text once.
func (s *Set) parseTpl(t *template.Template, text string) (*template.Template, error) {
	trees, kept := s.tpl[text]
	if !kept {
		parsed, err := template.New(t.Name()).Funcs(s.funcs).Parse(text)
		if err != nil {
			return nil, err
		}
		trees = map[string]*parse.Tree{}
		for _, each := range parsed.Templates() {
			if each.Tree != nil {
				trees[each.Name()] = each.Tree
			}
		}
		if s.tplBytes += len(text); s.tplBytes > maxKeptTplBytes {
			clear(s.tpl)
			s.tplBytes = len(text)
		}
		s.tpl[text] = trees
	}
	for _, name := range slices.Sorted(maps.Keys(trees)) {
		if _, err := t.AddParseTree(name, trees[name]); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// functions are Helm's, without a cluster and without DNS.
func functions() template.FuncMap {
	f := funcMap()
	f["required"] = func(warn string, val any) (any, error) {
		if val == nil || val == "" {
			return val, errors.New(warnWrap(warn))
		}
		return val, nil
	}
	f["fail"] = func(msg string) (string, error) {
		return "", errors.New(warnWrap(msg))
	}
	f["getHostByName"] = func(string) string { return "" }
	return f
}
func cleanupParseError(filename string, err error) error {
	tokens := strings.Split(err.Error(), ": ")
	if len(tokens) == 1 {
		// This might happen if a non-templating error occurs
		return fmt.Errorf("parse error in (%s): %w", filename, err)
	}
	// The first token is "template"
	// The second token is either "filename:lineno" or "filename:lineNo:columnNo"
	location := tokens[1]
	// The remaining tokens make up a stacktrace-like chain, ending with the relevant error
	errMsg := tokens[len(tokens)-1]
	return fmt.Errorf("parse error at (%s): %s", location, errMsg)
}

type TraceableError struct {
	location         string
	message          string
	executedFunction string
}

func (t TraceableError) String() string {
	var errorString strings.Builder
	if t.location != "" {
		_, _ = fmt.Fprintf(&errorString, "%s\n  ", t.location)
	}
	if t.executedFunction != "" {
		_, _ = fmt.Fprintf(&errorString, "%s\n    ", t.executedFunction)
	}
	if t.message != "" {
		_, _ = fmt.Fprintf(&errorString, "%s\n", t.message)
	}
	return errorString.String()
}

// parseTemplateExecErrorString parses a template execution error string from text/template
// without using regular expressions. It returns a TraceableError and true if parsing succeeded.
func parseTemplateExecErrorString(s string) (TraceableError, bool) {
	const prefix = "template: "
	if !strings.HasPrefix(s, prefix) {
		return TraceableError{}, false
	}
	remainder := s[len(prefix):]

	// Special case: "template: no template %q associated with template %q"
	// Matches https://cs.opensource.google/go/go/+/refs/tags/go1.23.6:src/text/template/exec.go;l=191
	traceableError, done := parseTemplateNoTemplateError(s, remainder)
	if done {
		return traceableError, true
	}

	// Executing form: "<templateName>: executing \"<funcName>\" at <<location>>: <errMsg>[ template:...]"
	// Matches https://cs.opensource.google/go/go/+/refs/tags/go1.23.6:src/text/template/exec.go;l=141
	traceableError, done = parseTemplateExecutingAtErrorType(remainder)
	if done {
		return traceableError, true
	}

	// Simple form: "<templateName>: <errMsg>"
	// Use LastIndex to avoid splitting colons within line:col info.
	// Matches https://cs.opensource.google/go/go/+/refs/tags/go1.23.6:src/text/template/exec.go;l=138
	traceableError, done = parseTemplateSimpleErrorString(remainder)
	if done {
		return traceableError, true
	}

	return TraceableError{}, false
}

// Special case: "template: no template %q associated with template %q"
// Matches https://cs.opensource.google/go/go/+/refs/tags/go1.23.6:src/text/template/exec.go;l=191
func parseTemplateNoTemplateError(s, remainder string) (TraceableError, bool) {
	if strings.HasPrefix(remainder, "no template ") {
		return TraceableError{message: s}, true
	}
	return TraceableError{}, false
}

// Simple form: "<templateName>: <errMsg>"
// Use LastIndex to avoid splitting colons within line:col info.
// Matches https://cs.opensource.google/go/go/+/refs/tags/go1.23.6:src/text/template/exec.go;l=138
func parseTemplateSimpleErrorString(remainder string) (TraceableError, bool) {
	if sep := strings.LastIndex(remainder, ": "); sep != -1 {
		templateName := remainder[:sep]
		errMsg := remainder[sep+2:]
		if cut := strings.Index(errMsg, " template:"); cut != -1 {
			errMsg = errMsg[:cut]
		}
		return TraceableError{location: templateName, message: errMsg}, true
	}
	return TraceableError{}, false
}

// Executing form: "<templateName>: executing \"<funcName>\" at <<location>>: <errMsg>[ template:...]"
// Matches https://cs.opensource.google/go/go/+/refs/tags/go1.23.6:src/text/template/exec.go;l=141
func parseTemplateExecutingAtErrorType(remainder string) (TraceableError, bool) {
	if templateName, after, found := strings.Cut(remainder, ": executing "); found {
		if after == "" || after[0] != '"' {
			return TraceableError{}, false
		}
		// find closing quote for function name
		endQuote := strings.IndexByte(after[1:], '"')
		if endQuote == -1 {
			return TraceableError{}, false
		}
		endQuote++ // account for offset we started at 1
		functionName := after[1:endQuote]
		afterFunc := after[endQuote+1:]

		// expect: " at <" then location then ">: " then message
		const atPrefix = " at <"
		if !strings.HasPrefix(afterFunc, atPrefix) {
			return TraceableError{}, false
		}
		afterAt := afterFunc[len(atPrefix):]
		locationName, errMsg, found := strings.Cut(afterAt, ">: ")
		if !found {
			return TraceableError{}, false
		}

		// trim chained next error starting with space + "template:" if present
		if cut := strings.Index(errMsg, " template:"); cut != -1 {
			errMsg = errMsg[:cut]
		}
		return TraceableError{
			location:         templateName,
			message:          errMsg,
			executedFunction: "executing \"" + functionName + "\" at <" + locationName + ">:",
		}, true
	}
	return TraceableError{}, false
}

// reformatExecErrorMsg takes an error message for template rendering and formats it into a formatted
// multi-line error string
func reformatExecErrorMsg(filename string, err error) error {
	// This function parses the error message produced by text/template package.
	// If it can parse out details from that error message such as the line number, template it failed on,
	// and error description, then it will construct a new error that displays these details in a structured way.
	// If there are issues with parsing the error message, the err passed into the function should return instead.
	if _, ok := errors.AsType[template.ExecError](err); !ok {
		return err
	}

	tokens := strings.SplitN(err.Error(), ": ", 3)
	if len(tokens) != 3 {
		// This might happen if a non-templating error occurs
		return fmt.Errorf("execution error in (%s): %w", filename, err)
	}

	// The first token is "template"
	// The second token is either "filename:lineno" or "filename:lineNo:columnNo"
	location := tokens[1]

	parts := warnRegex.FindStringSubmatch(tokens[2])
	if len(parts) >= 2 {
		return fmt.Errorf("execution error at (%s): %s", location, parts[1])
	}
	current := err
	var fileLocations []TraceableError
	for current != nil {
		if tr, ok := parseTemplateExecErrorString(current.Error()); ok {
			if len(fileLocations) == 0 || fileLocations[len(fileLocations)-1] != tr {
				fileLocations = append(fileLocations, tr)
			}
		} else {
			return err
		}
		current = errors.Unwrap(current)
	}

	var finalErrorString strings.Builder
	for _, fileLocation := range fileLocations {
		_, _ = fmt.Fprintf(&finalErrorString, "%s", fileLocation.String())
	}

	return errors.New(strings.TrimSpace(finalErrorString.String()))
}

type byPathLen []string

func (p byPathLen) Len() int      { return len(p) }
func (p byPathLen) Swap(i, j int) { p[j], p[i] = p[i], p[j] }
func (p byPathLen) Less(i, j int) bool {
	a, b := p[i], p[j]
	ca, cb := strings.Count(a, "/"), strings.Count(b, "/")
	if ca == cb {
		return a < b
	}
	return ca < cb
}
