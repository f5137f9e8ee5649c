package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// request is the header of a `render` message. Its blobs are the texts of helm.values, in order.
type request struct {
	Type        string            `json:"type"`
	Kind        string            `json:"kind"` // Helm, Kustomize, Plain
	Path        string            `json:"path"`
	Namespace   string            `json:"namespace"`
	ReleaseName string            `json:"releaseName"`
	KubeVersion string            `json:"kubeVersion"`
	APIVersions []string          `json:"apiVersions"`
	Scopes      map[string]bool   `json:"scopes"`
	Labels      map[string]string `json:"labels"`
	Owner       string            `json:"owner"`
	Values      []valuesSource    `json:"values"`
	// The trees at hand by repository path: the chart, or a plain directory.
	Trees []treeRef `json:"trees"`
	// The chart's values.schema.json is not asked.
	SkipSchemaValidation bool `json:"skipSchemaValidation"`
	MaxOutputBytes       int  `json:"maxOutputBytes"`
	MaxObjects           int  `json:"maxObjects"`
	// Of a request of type `index`.
	Index indexRequest `json:"index"`
	// Of a request of type `verify`.
	Verify verifyRequest `json:"verify"`
}

type treeRef struct {
	Path   string `json:"path"`
	Digest string `json:"digest"`
	// The tree is one file: the archive of a chart that somebody published.
	Packed bool `json:"packed"`
}

const ownerAnnotation = "towpath.dev/owner"

// hook is how a Helm hook runs.
type hook struct {
	Events         []string `json:"events"`
	Weight         int      `json:"weight"`
	DeletePolicies []string `json:"deletePolicies"`
}

// manifest is an object as it is sent to the API server; its text is a blob of the result.
type manifest struct {
	APIVersion  string            `json:"apiVersion"`
	Group       string            `json:"group"`
	Kind        string            `json:"kind"`
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	Annotations map[string]string `json:"annotations"`
	File        string            `json:"file,omitempty"`
	Digest      string            `json:"digest"`
	Length      int               `json:"length"`
	Hook        *hook             `json:"hook,omitempty"`
	text        []byte
}

type chartName struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	AppVersion string `json:"appVersion,omitempty"`
}

// source is an object with the file it came from.
type source struct {
	*object
	file   string
	number int
	hook   *hook
}

// result is the header of a `result` message; the manifests' texts are its only blob, in order.
type result struct {
	Type     string     `json:"type"`
	Objects  []manifest `json:"objects"`
	Hooks    []manifest `json:"hooks"`
	Chart    *chartName `json:"chart,omitempty"`
	Warnings []string   `json:"warnings"`
	// What was read of the cluster: kubeVersion, `has apps/v1`, apiVersions (all of them), `scope apps/Deployment`.
	Reads []string `json:"reads"`
	Blobs []int    `json:"blobs"`
}

// finish gives every object its namespace, labels and owner, and refuses what cannot be applied.
func finish(req *request, sources []source) (*result, error) {
	if len(sources) > req.MaxObjects {
		return nil, fail("RenderTooLarge", "The render has %d objects; at most %d are allowed. Split it into several Applications.", len(sources), req.MaxObjects)
	}
	scopes := maps.Clone(req.Scopes)
	if scopes == nil {
		scopes = map[string]bool{}
	}
	defined := map[string]bool{}
	for _, s := range sources {
		if s.defines != "" {
			scopes[s.defines] = s.namespaced
			defined[s.defines] = true
		}
	}
	res := &result{Type: "result", Objects: []manifest{}, Hooks: []manifest{}, Warnings: []string{}}
	seen := map[objectID]source{}
	var duplicates []detail
	for _, s := range sources {
		// What the render defines itself is no question to the cluster.
		if groupKind := s.group + "/" + s.kind; !defined[groupKind] {
			asked.names["scope "+groupKind] = true
		}
		m := s.finish(req, scopes)
		if s.hook != nil {
			res.Hooks = append(res.Hooks, m)
			continue
		}
		id := objectID{Group: m.Group, Kind: m.Kind, Namespace: m.Namespace, Name: m.Name}
		if first, ok := seen[id]; ok {
			duplicates = append(duplicates, detail{Object: &id, File: s.file, Message: fmt.Sprintf("%s is in %s and in %s.", describe(id), place(first), place(s))})
			continue
		}
		seen[id] = s
		res.Objects = append(res.Objects, m)
	}
	if len(duplicates) > 0 {
		return nil, &failure{
			Reason:  "DuplicateObject",
			Message: duplicates[0].Message + " Every object may appear once; remove or rename one of them.",
			Details: duplicates,
		}
	}
	return res, nil
}

func describe(id objectID) string {
	if id.Namespace == "" {
		return id.Kind + " " + id.Name
	}
	return id.Kind + " " + id.Namespace + "/" + id.Name
}

func place(s source) string {
	return fmt.Sprintf("%s (document %d)", s.file, s.number)
}

// finish makes the manifest: what is shared stays untouched, metadata is copied as far as it changes.
func (s source) finish(req *request, scopes map[string]bool) manifest {
	groupKind := s.group + "/" + s.kind
	namespaced, known := scopes[groupKind]
	namespace := ""
	if namespaced || !known {
		if namespace = s.namespace; namespace == "" {
			namespace = req.Namespace
		}
	}
	metadata := maps.Clone(s.metadata)
	if namespace == "" {
		delete(metadata, "namespace")
	} else {
		metadata["namespace"] = namespace
	}
	if len(req.Labels) > 0 {
		metadata["labels"] = withEntries(metadata["labels"], req.Labels)
	}
	owner := fmt.Sprintf("%s %s/%s/%s", req.Owner, groupKind, namespace, s.name)
	metadata["annotations"] = withEntries(metadata["annotations"], map[string]string{ownerAnnotation: owner})
	encoded, _ := json.Marshal(metadata)
	text := make([]byte, 0, len(s.before)+len(encoded)+len(s.after))
	text = append(append(append(text, s.before...), encoded...), s.after...)
	m := manifest{
		APIVersion: s.apiVersion, Group: s.group, Kind: s.kind, Namespace: namespace, Name: s.name,
		Annotations: map[string]string{}, File: s.file, Digest: digestOf(text), Length: len(text), Hook: s.hook, text: text,
	}
	for name, value := range s.annotations {
		if strings.HasPrefix(name, "towpath.dev/") || strings.HasPrefix(name, "helm.sh/") {
			m.Annotations[name] = value
		}
	}
	return m
}

func withEntries(existing any, added map[string]string) map[string]any {
	all, _ := existing.(map[string]any)
	if all = maps.Clone(all); all == nil {
		all = map[string]any{}
	}
	for name, value := range added {
		all[name] = value
	}
	return all
}
