package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
)

// dependencyRef is a chart that is to be fetched from a Helm repository or OCI registry.
type dependencyRef struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	Repository string `json:"repository"`
	// Version is a range: no lock says which of its versions.
	IsRange bool `json:"isRange,omitempty"`
	// Where the archive is looked for; empty: in the folder charts of the chart that depends on it.
	File string `json:"file,omitempty"`
}

// locked is what a chart's Chart.lock says, read before Helm changes what Chart.yaml declares.
type locked struct {
	lock *chart.Lock
	// Whether the lock was made of these dependencies.
	fits bool
	// The declared dependencies that the lock has otherwise, or not at all, and those that only the lock has.
	differ []string
}

// lockOf compares a chart's lock with its Chart.yaml, as `helm dependency build` does.
func lockOf(c *chart.Chart) locked {
	if c.Lock == nil {
		return locked{}
	}
	read := locked{lock: c.Lock, fits: c.Lock.Digest == lockDigest([2][]*chart.Dependency{c.Metadata.Dependencies, c.Lock.Dependencies})}
	if !read.fits && c.Metadata.APIVersion == chart.APIVersionV1 {
		// Helm 2 made it of what requirements.yaml says alone.
		read.fits = c.Lock.Digest == lockDigest(map[string][]*chart.Dependency{"dependencies": c.Metadata.Dependencies})
	}
	for _, dependency := range c.Metadata.Dependencies {
		if dependency != nil && read.find(dependency) == nil {
			read.differ = append(read.differ, dependency.Name)
		}
	}
	for _, entry := range c.Lock.Dependencies {
		isDeclared := func(d *chart.Dependency) bool { return d != nil && entry != nil && d.Name == entry.Name }
		if entry != nil && !slices.ContainsFunc(c.Metadata.Dependencies, isDeclared) {
			read.differ = append(read.differ, entry.Name)
		}
	}
	return read
}

// find is the lock's entry of a dependency as Chart.yaml declares it; nil where there is none that fits.
func (l locked) find(dependency *chart.Dependency) *chart.Dependency {
	for _, entry := range l.lock.Dependencies {
		if entry != nil && entry.Name == dependency.Name && entry.Repository == dependency.Repository && chartutil.IsCompatibleRange(dependency.Version, entry.Version) {
			return entry
		}
	}
	return nil
}

func lockDigest(of any) string {
	text, err := json.Marshal(of)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// fetchable are the missing dependencies where all can be fetched, and else nil with what stands against it, as the
// end of an advice. Only those of the chart itself are: what its dependencies depend on is in their archives.
func (a *assembly) fetchable(c *chart.Chart, all []missing) ([]dependencyRef, string, error) {
	if slices.ContainsFunc(all, func(m missing) bool { return m.of != c }) {
		return nil, "", nil
	}
	var refs []dependencyRef
	for _, m := range all {
		repository := m.dependency.Repository
		switch {
		case strings.HasPrefix(repository, "alias:"), strings.HasPrefix(repository, "@"):
			return nil, fmt.Sprintf(" What %s stands for is known to the machine of who wrote it only: write the repository's URL instead.", repository), nil
		case !strings.HasPrefix(repository, "https://") && !strings.HasPrefix(repository, "oci://"):
			return nil, "", nil
		}
		if a.locked.lock == nil {
			if _, err := semver.NewConstraint(m.dependency.Version); err != nil {
				return nil, fmt.Sprintf(" Its version %q is none, nor a range of versions: correct Chart.yaml.", m.dependency.Version), nil
			}
			refs = withRef(refs, dependencyRef{Name: m.name, Version: m.dependency.Version, Repository: repository, IsRange: isRange(m.dependency.Version, repository)})
			continue
		}
		entry := a.locked.find(&chart.Dependency{Name: m.name, Version: m.dependency.Version, Repository: repository})
		if !a.locked.fits || entry == nil {
			return nil, "", lockFailure(c, m.dir, a.locked)
		}
		refs = withRef(refs, dependencyRef{Name: entry.Name, Version: entry.Version, Repository: repository})
	}
	return refs, "", nil
}

// isRange tells whether Helm looks for what a version stands for. In a registry it takes all that semver reads for a tag,
// however it is written (v1.2.0, 1.2); in an index 1.2 is each 1.2.x, and v1.2.0 each build of that.
func isRange(version, repository string) bool {
	if _, err := semver.NewVersion(version); err != nil {
		return true
	}
	isOfBuilds := strings.HasPrefix(version, "v") && !strings.Contains(version, "+")
	return !strings.HasPrefix(repository, "oci://") && (isOfBuilds || !isWhole(version))
}

// isWhole tells whether a version has all three numbers.
func isWhole(version string) bool {
	if end := strings.IndexAny(version, "-+"); end >= 0 {
		version = version[:end]
	}
	return strings.Count(version, ".") >= 2
}

func withRef(refs []dependencyRef, ref dependencyRef) []dependencyRef {
	if slices.Contains(refs, ref) {
		return refs
	}
	return append(refs, ref)
}

func lockFailure(c *chart.Chart, dir string, is locked) error {
	what := "the entries of the two differ"
	if len(is.differ) > 0 {
		what = "they differ in " + strings.Join(firstOf(is.differ), ", ")
	}
	name := lockName(c)
	return fail("ChartLockOutOfDate", "%s of chart %s in %s was not made of its dependencies as they are now: %s. Run `helm dependency update` and commit %s.", name, c.Name(), shown(dir), what, name).at(path.Join(dir, name), 0)
}

// firstOf are as many of some names as a message lists.
func firstOf(names []string) []string {
	const most = 8
	if len(names) <= most {
		return names
	}
	return append(slices.Clone(names[:most]), fmt.Sprintf("and %d more", len(names)-most))
}

func lockName(c *chart.Chart) string {
	if c.Metadata.APIVersion == chart.APIVersionV1 {
		return "requirements.lock"
	}
	return "Chart.lock"
}
