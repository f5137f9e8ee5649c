package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// failure is an error told to the user; the reasons are documented in renderer.ts.
type failure struct {
	Reason  string   `json:"reason"`
	Message string   `json:"message"`
	Details []detail `json:"details,omitempty"`
	// The charts that the render would go on with.
	Fetch []dependencyRef `json:"fetch,omitempty"`
	// The directories of other Git repositories that it would go on with.
	Bases []remoteBase `json:"bases,omitempty"`
}

type detail struct {
	Object  *objectID `json:"object,omitempty"`
	File    string    `json:"file,omitempty"`
	Line    int       `json:"line,omitempty"`
	Message string    `json:"message"`
}

type objectID struct {
	Group     string `json:"group"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

func (f *failure) Error() string { return f.Message }

func fail(reason, format string, args ...any) *failure {
	return &failure{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// at adds where the failure is.
func (f *failure) at(file string, line int) *failure {
	f.Details = append(f.Details, detail{File: file, Line: line, Message: f.Message})
	return f
}

var yamlLine = regexp.MustCompile(`\bline (\d+)`)

// lineOf is the line that a YAML or JSON parser's message names, 0 where it names none.
func lineOf(err error) int {
	match := yamlLine.FindStringSubmatch(err.Error())
	if match == nil {
		return 0
	}
	line, _ := strconv.Atoi(match[1])
	return line
}

// yamlReason is a YAML parser's message without the parser's own prefixes and without Go's names of types.
func yamlReason(err error) string {
	text := parserPrefix.ReplaceAllString(err.Error(), "$1")
	text = wrongType.ReplaceAllStringFunc(text, func(found string) string {
		match := wrongType.FindStringSubmatch(found)
		is, field, goType := yamlTypes[match[1]], embedded.ReplaceAllString(match[2], ""), match[3]
		if field == "" {
			return "it is " + is
		}
		return field + " is " + is + wantedType(match[1], goType)
	})
	text = templateKey.ReplaceAllString(text, "a map stands where a key belongs: what {{ … }} says is filled in only in the templates of a chart")
	return mapKey.ReplaceAllString(text, "")
}

// wantedType ends the sentence about a field of another type, with what to do about it.
func wantedType(is, goType string) string {
	switch {
	case goType == "string" && (is == "number" || is == "bool"):
		return ", and must be a text: quote it"
	case goType == "string":
		return ", and must be a text"
	case goType == "bool":
		return ", and must be true or false, without quotes"
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"), strings.HasPrefix(goType, "float"):
		return ", and must be a number, without quotes"
	case strings.HasPrefix(goType, "[]"):
		return ", and must be a list"
	}
	return ", and must be a map"
}

var parserPrefix = regexp.MustCompile(`(^|\s)(?:(?:error converting YAML to JSON|error unmarshaling JSON|while decoding JSON|cannot unmarshal yaml document|yaml): )+`)

var wrongType = regexp.MustCompile(`json: cannot unmarshal (array|object|string|number|bool) into Go (?:value|struct field (?:\w+\.)?(\S+)) of type (\S+)(?: \{\})?`)

// embedded are Go's names of structs within a field's path.
var embedded = regexp.MustCompile(`\b[A-Z]\w*\.`)

// templateKey is what the text of a template is to a YAML parser.
var templateKey = regexp.MustCompile(`invalid map key: map\[.*`)

var yamlTypes = map[string]string{"array": "a list", "object": "a map", "string": "a text", "number": "a number", "bool": "a boolean"}

// mapKey is where a parser's message quotes a document, which may be a Secret.
var mapKey = regexp.MustCompile(`(?s), key: .*`)

// shown is a directory of the repository as messages name it.
func shown(dir string) string {
	if dir == "" {
		return "the repository's root"
	}
	return dir
}
