package main

import (
	"fmt"
	"regexp"
	"strconv"
)

// failure is an error told to the user; the reasons are documented in renderer.ts.
type failure struct {
	Reason  string   `json:"reason"`
	Message string   `json:"message"`
	Details []detail `json:"details,omitempty"`
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
		if match[2] == "" {
			return "it is " + yamlTypes[match[1]]
		}
		return match[2] + " is " + yamlTypes[match[1]]
	})
	return mapKey.ReplaceAllString(text, "")
}

var parserPrefix = regexp.MustCompile(`(^|\s)(?:(?:error converting YAML to JSON|error unmarshaling JSON|while decoding JSON|cannot unmarshal yaml document|yaml): )+`)

var wrongType = regexp.MustCompile(`json: cannot unmarshal (array|object|string|number|bool) into Go (?:value|struct field (?:\w+\.)?(\S+)) of type \S+(?: \{\})?`)

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
