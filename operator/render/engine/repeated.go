package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"regexp"
	"strconv"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// repeated is a key that stands twice in one map: Helm and kubectl take the last one without a word.
type repeated struct {
	key         string
	line, first int
}

func (r repeated) String() string {
	return fmt.Sprintf("line %d: the key %q stands in line %d already", r.line, r.key, r.first)
}

// toJSON converts a YAML document as kubectl does, and tells of keys that stand twice.
func toJSON(text []byte) ([]byte, []repeated, error) {
	converted, err := yaml.YAMLToJSONStrict(text)
	if err == nil {
		return converted, nil, nil
	}
	// Strict or not, other errors are the same.
	if converted, err = yaml.YAMLToJSON(text); err != nil {
		return nil, nil, err
	}
	return converted, repeatedKeys(text), nil
}

// repeatedKeys finds them in the first document of a text, JSON or YAML; nil where it is neither.
func repeatedKeys(text []byte) []repeated {
	// As YAML it may not be readable: there is no \/ in YAML, and no character in two escapes.
	if json.Valid(text) {
		return repeatedInJSON(text)
	}
	return repeatedIn(nodesOf(text), nil)
}

// repeatedInJSON finds them in a JSON document.
func repeatedInJSON(text []byte) (found []repeated) {
	type level struct {
		lines map[string]int // of an object's keys; nil for a list
		inKey bool
	}
	var open []*level
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	line, counted := 1, 0
	for {
		token, err := decoder.Token()
		if err != nil {
			return found
		}
		at := int(decoder.InputOffset())
		line, counted = line+bytes.Count(text[counted:at], []byte("\n")), at
		var here *level
		if len(open) > 0 {
			here = open[len(open)-1]
		}
		if key, ok := token.(string); ok && here != nil && here.inKey {
			here.inKey = false
			if first, known := here.lines[key]; known {
				found = append(found, repeated{key: key, line: line, first: first})
			} else {
				here.lines[key] = line
			}
			continue
		}
		switch token {
		case json.Delim('{'):
			open = append(open, &level{lines: map[string]int{}, inKey: true})
			continue
		case json.Delim('['):
			open = append(open, &level{})
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		// A value ended: what follows in an object is its next key.
		if len(open) > 0 && open[len(open)-1].lines != nil {
			open[len(open)-1].inKey = true
		}
	}
}

func nodesOf(text []byte) *yamlv3.Node {
	var document yamlv3.Node
	if yamlv3.Unmarshal(text, &document) != nil {
		return &yamlv3.Node{}
	}
	return &document
}

// repeatedIn follows no aliases: what they repeat stands elsewhere, too.
func repeatedIn(node *yamlv3.Node, found []repeated) []repeated {
	if node.Kind == yamlv3.MappingNode {
		lines := map[string]int{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			if key.Kind != yamlv3.ScalarNode || key.Tag == "!!merge" {
				continue
			}
			if first, ok := lines[key.Tag+key.Value]; ok {
				found = append(found, repeated{key: key.Value, line: key.Line, first: first})
				continue
			}
			lines[key.Tag+key.Value] = key.Line
		}
	}
	for _, child := range node.Content {
		found = repeatedIn(child, found)
	}
	return found
}

// inOneLine is how a message has them; the first few, the others counted.
func inOneLine(all []repeated) string {
	const shown = 3
	var told []string
	for _, each := range all[:min(len(all), shown)] {
		told = append(told, each.String())
	}
	if len(all) > shown {
		told = append(told, fmt.Sprintf("and %d more", len(all)-shown))
	}
	return strings.Join(told, "; ")
}

// shift moves the lines of a document to those of its file.
func shift(all []repeated, by int) {
	for i := range all {
		all[i].line += by
		all[i].first += by
	}
}

// warnOfRepeated tells of a text that is read as it is, with its last keys.
func warnOfRepeated(where string, all []repeated) {
	if len(all) > 0 {
		log.Printf("%s, %s; the last one counts", where, inOneLine(all))
	}
}

// repetitions tells of the keys that stand twice in a file.
func repetitions(file string, text []byte) []string {
	twice := repeatedKeys(text)
	if len(twice) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s, %s; the last one counts", file, inOneLine(twice))}
}

// oddities is what a file of values, or a Chart.yaml, most likely means otherwise than it is read.
func oddities(file string, text []byte) []string {
	all := repetitions(file, text)
	for _, each := range unquotedIn(nodesOf(text), nil) {
		all = append(all, file+", "+each)
	}
	return all
}

// versionKey matches names of what is a text however much it looks like a number.
var versionKey = regexp.MustCompile(`(?i)(?:version|tag)$`)

// unquotedIn finds versions that are read as numbers, of which something is lost: 1.10 is 1.1, and 1e3 is 1000.
func unquotedIn(node *yamlv3.Node, found []string) []string {
	if node.Kind == yamlv3.MappingNode {
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			if value.Kind == yamlv3.ScalarNode && versionKey.MatchString(key.Value) {
				if read := readAs(value); read != value.Value {
					found = append(found, fmt.Sprintf("line %d: %s: %s is a number, and is read as %s: quote it, as \"%s\"", value.Line, key.Value, value.Value, read, value.Value))
				}
			}
		}
	}
	for _, child := range node.Content {
		found = unquotedIn(child, found)
	}
	return found
}

// readAs is how a number is written once it was read as one; of other scalars the text as it is.
func readAs(scalar *yamlv3.Node) string {
	switch scalar.Tag {
	case "!!int":
		var n int64
		if scalar.Decode(&n) == nil {
			return fmt.Sprint(n)
		}
	case "!!float":
		var f float64
		if scalar.Decode(&f) == nil {
			return strconv.FormatFloat(f, 'f', -1, 64)
		}
	}
	return scalar.Value
}
