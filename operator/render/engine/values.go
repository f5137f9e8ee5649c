package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// valuesSource is one source of values; its text is a blob of the request.
type valuesSource struct {
	// As messages name it: a repository path, or `ConfigMap shared key values.yaml`.
	Name string `json:"name"`
	// The repository path, where it is a file.
	File string `json:"file,omitempty"`
	// yaml, or json for the Application's own values, whose integers stay exact.
	Format string `json:"format"`
	// Nothing of it may appear in a message.
	Secret bool `json:"secret,omitempty"`
}

// mergeValues merges the sources as `helm -f` does: later wins, maps are merged, null is kept for the chart's
// defaults to be removed by.
func mergeValues(sources []valuesSource, texts [][]byte, hide *redaction) (map[string]any, error) {
	merged := map[string]any{}
	for i, source := range sources {
		text := texts[i]
		if source.Format == "json" {
			values, err := exactJSON(text)
			if err != nil {
				return nil, fail("ValuesInvalid", "%s: %s.", source.Name, err)
			}
			merged = loader.MergeMaps(merged, values)
			continue
		}
		values, err := loader.LoadValues(bytes.NewReader(text))
		if source.Secret {
			hide.addText(string(text))
			hide.addValues(values)
		}
		if err != nil {
			reason := "it is not a YAML map"
			if line := lineOf(err); line > 0 {
				reason += fmt.Sprintf(": line %d", line)
			}
			if !source.Secret {
				reason = "values are a YAML map, and " + yamlReason(err)
			}
			return nil, fail("ValuesInvalid", "Cannot read values from %s: %s. Correct it there.", source.Name, reason).at(source.File, lineOf(err))
		}
		if !source.Secret {
			for _, odd := range oddities(source.Name, text) {
				log.Print(odd)
			}
		}
		if isTooDeep(values, maxDepth) {
			return nil, fail("ValuesInvalid", "Cannot take values from %s: %s. Flatten them there.", source.Name, tooDeep).at(source.File, 0)
		}
		merged = loader.MergeMaps(merged, values)
	}
	return merged, nil
}

// exactJSON decodes an object with numbers as Helm has them (float64), except for integers that a float64
// cannot hold.
func exactJSON(text []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("they are not an object")
	}
	return exactNumbers(object).(map[string]any), nil
}

func exactNumbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, each := range v {
			v[key] = exactNumbers(each)
		}
	case []any:
		for i, each := range v {
			v[i] = exactNumbers(each)
		}
	case json.Number:
		const exact = 1 << 53
		if i, err := strconv.ParseInt(v.String(), 10, 64); err == nil && (i > exact || i < -exact) {
			return i
		}
		if u, err := strconv.ParseUint(v.String(), 10, 64); err == nil && u > math.MaxInt64 {
			return u
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	}
	return value
}

// redaction replaces secret values in messages: every scalar of at least 4 characters, each line of longer
// texts, and both as base64 and as Go quotes them.
type redaction struct {
	secrets map[string]bool
	// Of all of them; nil since one was added.
	replacer *strings.Replacer
}

const leastSecret = 4

func newRedaction() *redaction { return &redaction{secrets: map[string]bool{}} }

func (r *redaction) addValues(value any) {
	switch v := value.(type) {
	case map[string]any:
		for _, each := range v {
			r.addValues(each)
		}
	case []any:
		for _, each := range v {
			r.addValues(each)
		}
	case string:
		r.addText(v)
		for line := range strings.Lines(v) {
			r.addText(strings.TrimSpace(line))
		}
	case float64:
		r.addText(fmt.Sprint(v))
		r.addText(strconv.FormatFloat(v, 'f', -1, 64))
	}
}

func (r *redaction) addText(text string) {
	if len(text) < leastSecret {
		return
	}
	r.replacer = nil
	quoted := strconv.Quote(text)
	inJSON, _ := json.Marshal(text)
	for _, form := range []string{
		text, strings.TrimSpace(text), quoted[1 : len(quoted)-1], string(inJSON[1 : len(inJSON)-1]),
		base64.StdEncoding.EncodeToString([]byte(text)), base64.URLEncoding.EncodeToString([]byte(text)),
	} {
		if len(form) >= leastSecret {
			r.secrets[form] = true
		}
	}
}

func (r *redaction) apply(text string) string {
	if len(r.secrets) == 0 || text == "" {
		return text
	}
	if r.replacer == nil {
		// Longer ones first: a secret may contain another.
		ordered := slices.SortedFunc(maps.Keys(r.secrets), func(a, b string) int { return len(b) - len(a) })
		pairs := make([]string, 0, 2*len(ordered))
		for _, secret := range ordered {
			pairs = append(pairs, secret, "***")
		}
		r.replacer = strings.NewReplacer(pairs...)
	}
	return r.replacer.Replace(text)
}

// applyTo returns the failure as it may be told: without secrets, and bounded. What went wrong in the innermost
// template stands at the end of Helm's messages, so the middle is left out.
func (r *redaction) applyTo(f *failure) *failure {
	const maxDetails = 200
	told := &failure{Reason: f.Reason, Message: shorten(r.apply(f.Message)), Fetch: f.Fetch, Bases: f.Bases}
	for i, d := range f.Details {
		if i == maxDetails {
			break
		}
		d.Message = shorten(r.apply(d.Message))
		if d.Object != nil {
			object := *d.Object
			object.Kind, object.Name = r.apply(object.Kind), r.apply(object.Name)
			d.Object = &object
		}
		told.Details = append(told.Details, d)
	}
	return told
}

func shorten(text string) string {
	const first, last = 1000, 1000
	if len(text) <= first+last {
		return text
	}
	return strings.ToValidUTF8(text[:first], "") + " … " + strings.ToValidUTF8(text[len(text)-last:], "")
}
