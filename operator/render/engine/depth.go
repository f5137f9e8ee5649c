package main

import (
	"iter"
	"maps"
	"slices"
)

// maxDepth is how deep values and manifests may be nested. Nothing that Kubernetes has comes near it; what reads
// them behind this process, the operator above all, follows them by recursion. The operator bounds spec.helm.values
// alike (operator/api/v1alpha1/values-text.ts).
const maxDepth = 200

// tooDeep is what is wrong with a document that is nested deeper.
const tooDeep = "it is nested more than 200 deep"

// isTooDeep tells of a decoded value whether maps and lists in it are nested more than depth deep.
func isTooDeep(value any, depth int) bool {
	switch v := value.(type) {
	case map[string]any:
		return depth == 0 || anyTooDeep(maps.Values(v), depth-1)
	case []any:
		return depth == 0 || anyTooDeep(slices.Values(v), depth-1)
	}
	return false
}

func anyTooDeep(values iter.Seq[any], depth int) bool {
	for value := range values {
		if isTooDeep(value, depth) {
			return true
		}
	}
	return false
}

// isTextTooDeep tells the same of JSON text.
func isTextTooDeep(text []byte) bool {
	depth := 0
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
