package main

import (
	"bytes"
	"cmp"
	"container/list"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/ignore"
)

type bufferedFile = archive.BufferedFile

// tree is a directory of the repository with all that is below it, kept by digest.
type tree struct {
	digest string
	bytes  int
	// Its only file is a chart's archive.
	packed bool
	// Its files are those of such an archive.
	unpacked bool
	files    []*bufferedFile
	// The chart in it, loaded once.
	chart *chart.Chart
	err   error
	// What is odd about its values.yaml and Chart.yaml.
	odd []string
}

// trees keeps the trees used last.
type trees struct {
	maxBytes, bytes int
	kept            map[string]*list.Element
	recent          *list.List
}

func newTrees(maxBytes int) *trees {
	return &trees{maxBytes: maxBytes, kept: map[string]*list.Element{}, recent: list.New()}
}

func (t *trees) get(digest string) *tree {
	element, ok := t.kept[digest]
	if !ok {
		return nil
	}
	t.recent.MoveToFront(element)
	return element.Value.(*tree)
}

// put keeps a tree; the newest is kept however large it is.
func (t *trees) put(digest string, names []string, blobs [][]byte) {
	if len(names) != len(blobs) || t.kept[digest] != nil {
		return
	}
	added := &tree{digest: digest, bytes: 4096}
	for i, name := range names {
		added.files = append(added.files, &bufferedFile{Name: name, Data: blobs[i]})
		added.bytes += len(name) + 2*len(blobs[i]) // as it is, and as the loaded chart has it
	}
	t.kept[digest] = t.recent.PushFront(added)
	t.bytes += added.bytes
	for t.bytes > t.maxBytes && t.recent.Len() > 1 {
		oldest := t.recent.Remove(t.recent.Back()).(*tree)
		delete(t.kept, oldest.digest)
		t.bytes -= oldest.bytes
	}
}

// load reads the chart in the tree as Helm reads a chart's directory.
func (t *tree) load() (*chart.Chart, error) {
	if t.chart != nil || t.err != nil {
		return t.chart, t.err
	}
	t.chart, t.err = t.loadAnew()
	return t.chart, t.err
}

func (t *tree) loadAnew() (*chart.Chart, error) {
	files, err := t.chartFiles()
	if err != nil {
		return nil, err
	}
	if err := refusePointers(files); err != nil {
		return nil, err
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		return nil, err
	}
	switch c.Metadata.APIVersion {
	case chart.APIVersionV1, chart.APIVersionV2:
	case "v3":
		return nil, errors.New("Chart.yaml: invalid chart apiVersion v3")
	default:
		return nil, fmt.Errorf("Chart.yaml: unsupported chart version %s", c.Metadata.APIVersion)
	}
	sortDependencies(c)
	for _, f := range c.Raw {
		if f.Name == "values.yaml" || f.Name == "Chart.yaml" {
			t.odd = append(t.odd, oddities(f.Name, f.Data)...)
		}
	}
	t.odd = append(t.odd, repetitionsIn(c, "")...)
	return c, refusePacked(c, "")
}

// isPublished tells that somebody packed it: beside it there is nothing of what was beside the chart, whatever lies in the
// repository by that name.
func (t *tree) isPublished() bool { return t.packed || t.unpacked }

// chartFiles are those that Helm reads of the chart: of an archive all, since .helmignore had its say when it was packed.
func (t *tree) chartFiles() ([]*bufferedFile, error) {
	if !t.packed {
		files, err := notIgnored(t.files)
		if err != nil {
			return nil, err
		}
		return files, refuseArchives(files)
	}
	if len(t.files) != 1 {
		return nil, fmt.Errorf("an archive of %d files", len(t.files))
	}
	return unpack(t.files[0].Data)
}

// repetitionsIn tells of the keys that stand twice in what else is read of a chart before it renders, and in all of its
// subcharts' files.
func repetitionsIn(c *chart.Chart, dir string) (all []string) {
	for _, f := range c.Raw {
		isRead := f.Name == "values.schema.json" || f.Name == "requirements.yaml"
		isOfSubchart := dir != "" && (f.Name == "values.yaml" || f.Name == "Chart.yaml")
		if isRead || isOfSubchart {
			all = append(all, repetitions(path.Join(dir, f.Name), f.Data)...)
		}
	}
	for _, child := range c.Dependencies() {
		all = append(all, repetitionsIn(child, path.Join(dir, "charts", child.Name()))...)
	}
	return all
}

// sortDependencies gives subcharts one order; Helm's loader returns them in the random order of a map.
func sortDependencies(c *chart.Chart) {
	dependencies := slices.Clone(c.Dependencies())
	slices.SortStableFunc(dependencies, func(a, b *chart.Chart) int {
		return strings.Compare(a.Name()+"\x00"+a.Metadata.Version, b.Name()+"\x00"+b.Metadata.Version)
	})
	c.SetDependencies(dependencies...)
	for _, dependency := range dependencies {
		sortDependencies(dependency)
	}
}

// notIgnored applies .helmignore as Helm's directory loader does, and copies the file entries, which
// loader.LoadFiles changes.
func notIgnored(files []*bufferedFile) ([]*bufferedFile, error) {
	rules := ignore.Empty()
	for _, f := range files {
		if f.Name == ignore.HelmIgnore {
			parsed, err := ignore.Parse(bytes.NewReader(f.Data))
			if err != nil {
				return nil, fmt.Errorf(".helmignore: %w", err)
			}
			rules = parsed
		}
	}
	rules.AddDefaults()
	directories := map[string]bool{}
	var ignoredDirectory func(dir string) bool
	ignoredDirectory = func(dir string) bool {
		if dir == "." {
			return false
		}
		ignored, known := directories[dir]
		if !known {
			ignored = ignoredDirectory(path.Dir(dir)) || rules.Ignore(dir, entry{dir, true})
			directories[dir] = ignored
		}
		return ignored
	}
	var kept []*bufferedFile
	for _, f := range files {
		if ignoredDirectory(path.Dir(f.Name)) || rules.Ignore(f.Name, entry{f.Name, false}) {
			continue
		}
		data := bytes.TrimPrefix(f.Data, []byte{0xEF, 0xBB, 0xBF})
		kept = append(kept, &bufferedFile{Name: f.Name, Data: data})
	}
	return kept, nil
}

// entry is what ignore rules ask of a file.
type entry struct {
	name      string
	directory bool
}

func (e entry) Name() string       { return path.Base(e.name) }
func (e entry) IsDir() bool        { return e.directory }
func (e entry) Size() int64        { return 0 }
func (e entry) ModTime() time.Time { return time.Time{} }
func (e entry) Sys() any           { return nil }
func (e entry) Mode() fs.FileMode {
	if e.directory {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

// places says where in the repository a chart's files are: by file, since Helm copies and renames charts.
type places map[*common.File]string

// assembly puts a chart together from the repository.
type assembly struct {
	trees *repositoryTrees
	where places
	// How many charts it has so far.
	charts int
	// Versions of file:// dependencies that are outside the wanted range, by the directory of the chart that
	// wants them and the repository.
	unfit map[[2]string]string
	// What Chart.yaml files declare, as written: Helm puts the alias in the place of the name.
	declared map[*chart.Dependency]declared
	// What Chart.lock says of the chart that is rendered.
	locked locked
	// Somebody published it: whoever renders it cannot change it.
	packed bool
	// What it lacks is not fetched.
	whole bool
}

// declared is a dependency by its chart's own name, with the versions of it that are vendored.
type declared struct {
	name     string
	versions []string
}

// declare notes what the charts declare, before Helm processes it.
func (a *assembly) declare(c *chart.Chart) {
	for _, dependency := range c.Metadata.Dependencies {
		if dependency == nil {
			continue
		}
		as := declared{name: dependency.Name}
		for _, child := range c.Dependencies() {
			if child.Name() == dependency.Name {
				as.versions = append(as.versions, child.Metadata.Version)
			}
		}
		a.declared[dependency] = as
	}
	for _, child := range c.Dependencies() {
		a.declare(child)
	}
}

// wanted names the dependency as Chart.yaml does.
func (d declared) wanted(dependency *chart.Dependency) string {
	text := strings.TrimSpace(cmp.Or(d.name, dependency.Name) + " " + dependency.Version)
	if dependency.Alias != "" {
		text += " as " + dependency.Alias
	}
	return text
}

// unfitVersions are those of a vendored dependency where none fits; Helm takes them out without a word where the
// dependency has an alias, and renders them all the same where it has none.
func (d declared) unfitVersions(wanted string) string {
	for _, version := range d.versions {
		if chartutil.IsCompatibleRange(wanted, version) {
			return ""
		}
	}
	return strings.Join(d.versions, ", ")
}

func (e *engine) newAssembly() *assembly {
	return &assembly{trees: e.treesOf(), where: places{}, unfit: map[[2]string]string{}, declared: map[*chart.Dependency]declared{}}
}

// dirOf is where in the repository a chart is; an archive counts as the directory that it unpacks to.
func (a *assembly) dirOf(c *chart.Chart) string {
	for _, f := range c.Raw {
		if f.Name == "Chart.yaml" {
			if dir := path.Dir(a.where[f]); dir != "." {
				return dir
			}
		}
	}
	return ""
}

// chart returns a copy of the chart at a path, which rendering may change, with its file:// dependencies that
// are not vendored.
func (a *assembly) chart(dir string, at *tree, chain []string) (*chart.Chart, error) {
	if slices.Contains(chain, dir) {
		return nil, fail("DependencyMissing", "The chart in %s depends on itself: %s.", shown(dir), strings.Join(append(chain, dir), " → "))
	}
	if a.charts++; a.charts > maxCharts {
		return nil, fail("ChartInvalid", "The chart in %s has more than %d charts as file:// dependencies, theirs counted. Leave some out.", shown(append(chain, dir)[0]), maxCharts)
	}
	loaded, err := at.load()
	if err != nil {
		return nil, chartFailure(dir, err, at.isPublished())
	}
	for _, odd := range at.odd {
		log.Print(path.Join(dir, odd))
	}
	c := copyChart(loaded)
	locate(c, dir, a.where)
	for _, dependency := range c.Metadata.Dependencies {
		local, ok := localDependency(dir, dependency)
		if !ok || at.isPublished() || vendored(c, dependency) {
			continue
		}
		from, err := a.trees.chart(local)
		if err != nil {
			return nil, err
		}
		if from == nil {
			continue
		}
		child, err := a.chart(local, from, append(slices.Clone(chain), dir))
		if err != nil {
			return nil, err
		}
		if chartutil.IsCompatibleRange(dependency.Version, child.Metadata.Version) {
			c.AddDependency(child)
		} else {
			a.unfit[[2]string{dir, dependency.Repository}] = child.Metadata.Version
		}
	}
	return c, nil
}

// localDependency is the path of a file:// dependency of the chart in dir, in the repository that the chart is in: that of
// the Application, or of a base.
func localDependency(dir string, dependency *chart.Dependency) (string, bool) {
	if dependency == nil {
		return "", false
	}
	relative, ok := strings.CutPrefix(dependency.Repository, "file://")
	if !ok || path.IsAbs(relative) {
		return "", false
	}
	local := path.Join(dir, relative)
	return local, local != ".." && !strings.HasPrefix(local, "../") && withinBase("/"+local) == withinBase(path.Join("/", dir))
}

func vendored(c *chart.Chart, dependency *chart.Dependency) bool {
	return slices.ContainsFunc(c.Dependencies(), func(child *chart.Chart) bool { return child.Name() == dependency.Name })
}

// copyChart copies what rendering changes: metadata and the lists of dependencies. Values and files are shared;
// Helm copies values before it changes them.
func copyChart(c *chart.Chart) *chart.Chart {
	out := *c
	metadata := *c.Metadata
	metadata.Annotations = maps.Clone(metadata.Annotations)
	metadata.Keywords = slices.Clone(metadata.Keywords)
	metadata.Sources = slices.Clone(metadata.Sources)
	metadata.Maintainers = slices.Clone(metadata.Maintainers)
	metadata.Dependencies = slices.Clone(metadata.Dependencies)
	for i, dependency := range metadata.Dependencies {
		if dependency != nil {
			copied := *dependency
			metadata.Dependencies[i] = &copied
		}
	}
	out.Metadata = &metadata
	out.SetDependencies()
	for _, dependency := range c.Dependencies() {
		out.AddDependency(copyChart(dependency))
	}
	return &out
}

func locate(c *chart.Chart, dir string, where places) {
	for _, list := range [][]*common.File{c.Raw, c.Templates, c.Files} {
		for _, f := range list {
			where[f] = path.Join(dir, f.Name)
		}
	}
	for _, dependency := range c.Dependencies() {
		locate(dependency, path.Join(dir, "charts", dependency.Name()), where)
	}
}
