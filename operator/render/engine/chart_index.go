package main

import (
	"cmp"
	"slices"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"
)

// indexRequest asks for one version of a chart in what its blob has of a Helm repository's index.yaml.
type indexRequest struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Of the repository, for messages.
	Repository string `json:"repository"`
}

// indexEntry is where the archive of a chart's version is. What is not there has no URL, and the versions that are
// there in its place.
type indexEntry struct {
	Type     string   `json:"type"`
	Version  string   `json:"version"`
	URL      string   `json:"url"`
	Digest   string   `json:"digest"`
	Versions []string `json:"versions"`
	Blobs    []int    `json:"blobs"`
}

type indexFile struct {
	Entries map[string][]*struct {
		Version string   `json:"version"`
		URLs    []string `json:"urls"`
		Digest  string   `json:"digest"`
	} `json:"entries"`
}

// mostVersions bounds what is told of a chart's versions.
const mostVersions = 1000

// findInIndex looks a version up as Helm does: the first whose version is the same by the rules of semantic versions.
func findInIndex(req *indexRequest, text []byte) (*indexEntry, error) {
	var index indexFile
	if err := yaml.Unmarshal(text, &index); err != nil {
		return nil, fail("ChartIndexInvalid", "index.yaml of %s cannot be read for %s: %s Tell who runs the repository.", req.Repository, req.Name, sentence(shorten(yamlReason(err))))
	}
	found := &indexEntry{Type: "result", Versions: []string{}, Blobs: []int{}}
	for _, entry := range index.Entries[req.Name] {
		if entry == nil || entry.Version == "" {
			continue
		}
		if sameVersion(req.Version, entry.Version) {
			found.Version, found.Digest, found.Versions = entry.Version, entry.Digest, []string{}
			if len(entry.URLs) > 0 {
				found.URL = entry.URLs[0]
			}
			return found, nil
		}
		if len(found.Versions) < mostVersions {
			found.Versions = append(found.Versions, entry.Version)
		}
	}
	slices.SortStableFunc(found.Versions, newerFirst)
	return found, nil
}

func sameVersion(wanted, there string) bool {
	if wanted == there {
		return true
	}
	a, errA := semver.NewVersion(wanted)
	b, errB := semver.NewVersion(there)
	return errA == nil && errB == nil && a.Equal(b)
}

func newerFirst(a, b string) int {
	first, errA := semver.NewVersion(a)
	second, errB := semver.NewVersion(b)
	if errA != nil || errB != nil {
		return cmp.Compare(b, a)
	}
	return second.Compare(first)
}
