package main

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// dropRemote takes out of a schema what refers to another host, and returns the addresses: what cannot be reached
// is no constraint, as many a chart's schema describes a part of its values by somebody else's.
func dropRemote(schema any) []string {
	base := &url.URL{Scheme: "file", Path: "/values.schema.json"}
	own := map[string]bool{}
	eachReference(schema, base, func(_ map[string]any, key string, at *url.URL) {
		if key == "$id" || key == "id" {
			own[withoutFragment(at)] = true
		}
	})
	remote := map[string]bool{}
	eachReference(schema, base, func(within map[string]any, key string, at *url.URL) {
		if key == "$id" || key == "id" || own[withoutFragment(at)] || at.Scheme != "http" && at.Scheme != "https" || at.Host == "json-schema.org" {
			return
		}
		remote[withoutFragment(at)] = true
		delete(within, key)
	})
	return slices.Sorted(maps.Keys(remote))
}

// eachReference tells each address in a schema, made absolute by the `$id` that is around it.
func eachReference(node any, base *url.URL, tell func(within map[string]any, key string, at *url.URL)) {
	switch v := node.(type) {
	case []any:
		for _, each := range v {
			eachReference(each, base, tell)
		}
	case map[string]any:
		inner := base
		for _, key := range []string{"id", "$id"} {
			if at := resolved(base, v[key]); at != nil {
				inner = at
				tell(v, key, at)
			}
		}
		for _, key := range []string{"$schema", "$ref", "$dynamicRef", "$recursiveRef"} {
			if at := resolved(inner, v[key]); at != nil {
				tell(v, key, at)
			}
		}
		for key, each := range v {
			if key != "enum" && key != "const" && key != "default" && key != "examples" {
				eachReference(each, inner, tell)
			}
		}
	}
}

func resolved(base *url.URL, value any) *url.URL {
	text, ok := value.(string)
	if !ok {
		return nil
	}
	at, err := base.Parse(strings.TrimSpace(text))
	if err != nil {
		return nil
	}
	return at
}

// withoutFragment is an address without its fragment.
func withoutFragment(at *url.URL) string {
	whole := *at
	whole.Fragment, whole.RawFragment = "", ""
	return strings.TrimSuffix(whole.String(), "#")
}
