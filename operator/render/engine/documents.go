package main

import (
	"bufio"
	"bytes"
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sort"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
)

// object is one object of a rendered document, before Towpath's labels, annotation and namespace. It is shared
// between requests and never changed.
type object struct {
	apiVersion, group, kind, namespace, name string
	metadata                                 map[string]any
	// The canonical JSON around the value of `metadata`.
	before, after []byte
	annotations   map[string]string
	// For a CustomResourceDefinition: its kind as `group/Kind`, and whether that is namespaced.
	defines    string
	namespaced bool
}

// document is one YAML or JSON document; its objects are several where it is a List.
type document struct {
	number int
	// Where it begins in its file, counted from 1; 0 where that is not known, as in what a template rendered.
	line    int
	objects []*object
	// Keys that stand twice; lines are the file's where its line is known, else those of what was rendered.
	repeated []repeated
	err      error
}

func (d *document) warn(file string) {
	warnOfRepeated(fmt.Sprintf("%s, document %d", file, d.number), d.repeated)
}

// documents keeps parsed texts: most rendered files, CRDs above all, are the same at the next render.
type documents struct {
	maxBytes, bytes int
	kept            map[[sha256.Size]byte]*list.Element
	recent          *list.List
}

type keptText struct {
	key       [sha256.Size]byte
	bytes     int
	documents []*document
}

func newDocuments(maxBytes int) *documents {
	return &documents{maxBytes: maxBytes, kept: map[[sha256.Size]byte]*list.Element{}, recent: list.New()}
}

// splitRendered returns the documents of a rendered template as Helm splits it; Helm ends each with a newline,
// which a block scalar at its end may have lacked. Documents that hold nothing are left out.
func (d *documents) splitRendered(text string) []*document {
	return d.remember('h', text, func() []*document {
		entries := releaseutil.SplitManifests(text)
		keys := make([]string, 0, len(entries))
		for key := range entries {
			keys = append(keys, key)
		}
		sort.Sort(releaseutil.BySplitManifestsOrder(keys))
		var all []*document
		for i, key := range keys {
			all = append(all, parseYAML(i+1, []byte(entries[key]+"\n")))
		}
		return all
	})
}

// split returns the documents of a manifest file as kubectl reads it: JSON where it is that, else YAML, of which a
// flow map begins with a brace too.
func (d *documents) split(text string) []*document {
	// JSON documents between separators are YAML documents too, and kubectl reads them so.
	if jsonBegins.MatchString(text) && !strings.Contains(text, "\n---") {
		return d.remember('j', text, func() []*document {
			all := splitJSON(text)
			failed := func(doc *document) bool { return doc.err != nil }
			if slices.ContainsFunc(all, failed) {
				if flow := splitYAML(text); !slices.ContainsFunc(flow, failed) {
					return flow
				}
			}
			return all
		})
	}
	return d.remember('y', text, func() []*document { return splitYAML(text) })
}

var jsonBegins = regexp.MustCompile(`^\s*\{\s*["}]`)

func splitYAML(text string) []*document {
	var all []*document
	// A buffer for all of it: the reader drops a last line that ends where its buffer does.
	reader := utilyaml.NewYAMLReader(bufio.NewReaderSize(strings.NewReader(text), len(text)+16))
	at := 0
	for number := 1; ; number++ {
		entry, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			return append(all, &document{number: number, err: err})
		}
		doc := parseYAML(number, entry)
		if found := strings.Index(text[at:], string(entry)); found >= 0 {
			at += found
			doc.line = 1 + strings.Count(text[:at], "\n")
			shift(doc.repeated, doc.line-1)
		}
		all = append(all, doc)
	}
}

func splitJSON(text string) []*document {
	var all []*document
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	for number := 1; ; number++ {
		begin := int(decoder.InputOffset())
		var value any
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			at := int(decoder.InputOffset())
			var syntax *json.SyntaxError
			if errors.As(err, &syntax) {
				at = int(syntax.Offset)
			}
			line := 1 + strings.Count(text[:min(at, len(text))], "\n")
			return append(all, &document{number: number, line: line, err: err})
		}
		doc := parseDocument(number, func() ([]byte, error) { return json.Marshal(plainNumbers(value)) })
		doc.repeated = repeatedInJSON([]byte(text[begin:decoder.InputOffset()]))
		shift(doc.repeated, strings.Count(text[:begin], "\n"))
		all = append(all, doc)
	}
}

// plainNumbers writes fractions as kubectl does (1.0 as 1, which the API server takes for an integer field);
// integers stay as they are, however large.
func plainNumbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, each := range v {
			v[key] = plainNumbers(each)
		}
	case []any:
		for i, each := range v {
			v[i] = plainNumbers(each)
		}
	case json.Number:
		if f, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
			return f
		}
	}
	return value
}

func (d *documents) remember(format byte, text string, parse func() []*document) []*document {
	hash := sha256.New()
	hash.Write([]byte{format})
	io.WriteString(hash, text)
	var key [sha256.Size]byte
	hash.Sum(key[:0])
	if element, ok := d.kept[key]; ok {
		d.recent.MoveToFront(element)
		return element.Value.(*keptText).documents
	}
	parsed := slices.DeleteFunc(parse(), func(doc *document) bool { return doc.err == nil && len(doc.objects) == 0 })
	entry := &keptText{key: key, bytes: 2*len(text) + 1024, documents: parsed}
	d.kept[key] = d.recent.PushFront(entry)
	d.bytes += entry.bytes
	for d.bytes > d.maxBytes && d.recent.Len() > 0 {
		oldest := d.recent.Remove(d.recent.Back()).(*keptText)
		delete(d.kept, oldest.key)
		d.bytes -= oldest.bytes
	}
	return parsed
}

func parseYAML(number int, text []byte) *document {
	var twice []repeated
	doc := parseDocument(number, func() (converted []byte, err error) {
		converted, twice, err = toJSON(text)
		return converted, err
	})
	doc.repeated = twice
	return doc
}

func parseDocument(number int, toJSON func() ([]byte, error)) *document {
	doc := &document{number: number}
	text, err := toJSON()
	if err != nil {
		doc.err = err
		return doc
	}
	if isTextTooDeep(text) {
		doc.err = errors.New(tooDeep)
		return doc
	}
	doc.objects, doc.err = parseObjects(text)
	return doc
}

// parseObjects reads canonical JSON: an object, a List of objects, or null.
func parseObjects(text []byte) ([]*object, error) {
	if bytes.Equal(text, []byte("null")) {
		return nil, nil
	}
	if len(text) == 0 || text[0] != '{' {
		return nil, errors.New("it is not an object with apiVersion, kind and metadata")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		return nil, nil
	}
	var head struct{ APIVersion, Kind string }
	if json.Unmarshal(fields["apiVersion"], &head.APIVersion) != nil || head.APIVersion == "" {
		return nil, errors.New("apiVersion is missing or is not a string")
	}
	if json.Unmarshal(fields["kind"], &head.Kind) != nil || head.Kind == "" {
		return nil, errors.New("kind is missing or is not a string")
	}
	var items []json.RawMessage
	if strings.HasSuffix(head.Kind, "List") && fields["items"] != nil && json.Unmarshal(fields["items"], &items) == nil {
		return parseItems(head.APIVersion, head.Kind, items)
	}
	o, err := parseObject(head.APIVersion, head.Kind, fields)
	if err != nil {
		return nil, err
	}
	return []*object{o}, nil
}

// parseItems reads the objects of a list. Those of a typed list (ConfigMapList) need not say what they are, as the
// API server's own answers do not.
func parseItems(apiVersion, kind string, items []json.RawMessage) ([]*object, error) {
	var all []*object
	for i, item := range items {
		item = typed(item, apiVersion, strings.TrimSuffix(kind, "List"))
		objects, err := parseObjects(item)
		if err != nil {
			return nil, fmt.Errorf("item %d of the %s: %w", i+1, kind, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}

// typed adds the apiVersion and kind of a typed list to an item that has neither.
func typed(item json.RawMessage, apiVersion, kind string) json.RawMessage {
	var fields map[string]json.RawMessage
	if kind == "" || json.Unmarshal(item, &fields) != nil || fields == nil || fields["apiVersion"] != nil || fields["kind"] != nil {
		return item
	}
	fields["apiVersion"], _ = json.Marshal(apiVersion)
	fields["kind"], _ = json.Marshal(kind)
	text, err := json.Marshal(fields)
	if err != nil {
		return item
	}
	return text
}

func parseObject(apiVersion, kind string, fields map[string]json.RawMessage) (*object, error) {
	o := &object{apiVersion: apiVersion, kind: kind}
	if group, _, ok := strings.Cut(apiVersion, "/"); ok {
		o.group = group
	}
	decoder := json.NewDecoder(bytes.NewReader(fields["metadata"]))
	decoder.UseNumber()
	if fields["metadata"] == nil || decoder.Decode(&o.metadata) != nil || o.metadata == nil {
		return nil, fmt.Errorf("the %s has no metadata", kind)
	}
	var err error
	if o.name, err = stringField(o.metadata, "name"); err != nil {
		return nil, fmt.Errorf("the %s has a metadata.name that is not a string", kind)
	}
	if o.name == "" {
		if _, generated := o.metadata["generateName"]; generated {
			return nil, fmt.Errorf("the %s has metadata.generateName instead of metadata.name: what is applied again and again needs a name of its own", kind)
		}
		return nil, fmt.Errorf("the %s has no metadata.name", kind)
	}
	if o.namespace, err = stringField(o.metadata, "namespace"); err != nil {
		return nil, fmt.Errorf("%s %s has a metadata.namespace that is not a string", kind, o.name)
	}
	if _, err = stringMap(o.metadata, "labels"); err != nil {
		return nil, fmt.Errorf("%s %s: %w", kind, o.name, err)
	}
	if o.annotations, err = stringMap(o.metadata, "annotations"); err != nil {
		return nil, fmt.Errorf("%s %s: %w", kind, o.name, err)
	}
	for _, field := range []string{"resourceVersion", "uid"} {
		if o.metadata[field] != nil {
			return nil, fmt.Errorf("%s %s has a metadata.%s, which only an object in a cluster has: remove it (kubectl get -o yaml writes it)", kind, o.name, field)
		}
	}
	o.before, o.after = around(fields)
	if kind == "CustomResourceDefinition" && o.group == "apiextensions.k8s.io" {
		o.readDefinition(fields["spec"])
	}
	return o, nil
}

func stringField(m map[string]any, key string) (string, error) {
	switch value := m[key].(type) {
	case nil:
		return "", nil
	case string:
		return value, nil
	}
	return "", errors.New("not a string")
}

// stringMap reads labels or annotations; the API server refuses values that are not strings, and so does this.
func stringMap(metadata map[string]any, key string) (map[string]string, error) {
	if metadata[key] == nil {
		return nil, nil
	}
	raw, ok := metadata[key].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("metadata.%s is not a map", key)
	}
	result := make(map[string]string, len(raw))
	for name, value := range raw {
		text, ok := value.(string)
		if !ok && value != nil {
			return nil, fmt.Errorf("metadata.%s[%q] is not a string; put its value in quotes", key, name)
		}
		result[name] = text
	}
	return result, nil
}

// around writes the canonical JSON before and after the value of `metadata`.
func around(fields map[string]json.RawMessage) (before, after []byte) {
	keys := make([]string, 0, len(fields))
	for key := range fields {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var out bytes.Buffer
	split := 0
	for i, key := range keys {
		out.WriteByte("{,"[min(i, 1)])
		name, _ := json.Marshal(key)
		out.Write(name)
		out.WriteByte(':')
		if key == "metadata" {
			split = out.Len()
		} else {
			out.Write(fields[key])
		}
	}
	out.WriteByte('}')
	return out.Bytes()[:split:split], out.Bytes()[split:]
}

func (o *object) readDefinition(spec json.RawMessage) {
	var crd struct {
		Group, Scope string
		Names        struct{ Kind string }
	}
	if json.Unmarshal(spec, &crd) == nil && crd.Names.Kind != "" {
		o.defines = crd.Group + "/" + crd.Names.Kind
		o.namespaced = crd.Scope != "Cluster"
	}
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
