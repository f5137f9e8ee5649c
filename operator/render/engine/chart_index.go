package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"
)

// indexRequest asks for one version of a chart in what its blob has of a Helm repository's index.yaml.
type indexRequest struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Of the repository, for messages.
	Repository string `json:"repository"`
	// Version is a range, of which the highest version is wanted.
	IsRange bool `json:"isRange"`
	// A range stands for no version with more characters, or without a dot; 0: for all.
	Longest int `json:"longest"`
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
	Entries map[string][]*publishedVersion `json:"entries"`
}

type publishedVersion struct {
	Version string   `json:"version"`
	URLs    []string `json:"urls"`
	Digest  string   `json:"digest"`
}

const (
	// mostVersions bounds what is told of a chart's versions.
	mostVersions = 1000
	// mostOfVersion is what Helm takes of one, in bytes.
	mostOfVersion = 256
	// mostOfURL is what the operator follows, in characters.
	mostOfURL = 2048
)

// hasArchive tells whether an entry is one: Helm passes over what names no archive.
func (v *publishedVersion) hasArchive() bool {
	return v != nil && v.Version != "" && len(v.URLs) > 0
}

// findInIndex looks a version up as Helm does: the one that is written alike, else the first that is the same by the rules
// of semantic versions, of the same build; or the highest that a range allows.
func findInIndex(req *indexRequest, text []byte) (*indexEntry, error) {
	var index indexFile
	if err := yaml.Unmarshal(text, &index); err != nil {
		return nil, fail("ChartIndexInvalid", "index.yaml of %s cannot be read for %s: %s Tell who runs the repository.", req.Repository, req.Name, sentence(shorten(yamlReason(err))))
	}
	found := &indexEntry{Type: "result", Versions: []string{}, Blobs: []int{}}
	if req.IsRange {
		if highest := highestIn(req, index.Entries[req.Name]); highest != nil {
			found.Version = highest.Version
			return found, nil
		}
	}
	if !req.IsRange {
		if entry := exactlyIn(req.Version, index.Entries[req.Name]); entry != nil {
			found.Version = entry.Version
			// Longer ones are refused as they are, and kept by nobody.
			found.Digest, found.URL = beginning(entry.Digest, 100), beginning(entry.URLs[0], mostOfURL+1)
			return found, nil
		}
	}
	for _, entry := range index.Entries[req.Name] {
		if !entry.hasArchive() {
			continue
		}
		if len(found.Versions) < mostVersions && len(entry.Version) <= mostOfVersion {
			found.Versions = append(found.Versions, entry.Version)
		}
	}
	slices.SortStableFunc(found.Versions, newerFirst)
	return found, nil
}

// highestIn is the highest version that a range allows, as `helm dependency update` finds it: pre-releases only where
// the range names one, and nothing that has no archive.
func highestIn(req *indexRequest, entries []*publishedVersion) *publishedVersion {
	allowed, err := semver.NewConstraint(req.Version)
	if err != nil {
		return nil
	}
	var highest *publishedVersion
	var version *semver.Version
	for _, entry := range entries {
		if !entry.hasArchive() || req.Longest > 0 && (len(entry.Version) > req.Longest || !strings.Contains(entry.Version, ".")) {
			continue
		}
		this, err := semver.NewVersion(entry.Version)
		if err != nil || !allowed.Check(this) {
			continue
		}
		if version == nil || this.GreaterThan(version) {
			highest, version = entry, this
		}
	}
	return highest
}

func exactlyIn(wanted string, entries []*publishedVersion) *publishedVersion {
	var same *publishedVersion
	for _, entry := range entries {
		if !entry.hasArchive() {
			continue
		}
		if entry.Version == wanted {
			return entry
		}
		if same == nil && sameVersion(wanted, entry.Version) {
			same = entry
		}
	}
	return same
}

func beginning(text string, characters int) string {
	count := 0
	for at := range text {
		if count == characters {
			return text[:at]
		}
		count++
	}
	return text
}

// sameVersion goes by the build, too, which semantic versions leave out: it is another archive.
func sameVersion(wanted, there string) bool {
	a, errA := semver.NewVersion(wanted)
	b, errB := semver.NewVersion(there)
	return errA == nil && errB == nil && a.Equal(b) && a.Metadata() == b.Metadata()
}

func newerFirst(a, b string) int {
	first, errA := semver.NewVersion(a)
	second, errB := semver.NewVersion(b)
	if errA != nil || errB != nil {
		return cmp.Compare(b, a)
	}
	return second.Compare(first)
}
