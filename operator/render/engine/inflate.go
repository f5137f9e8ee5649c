package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/Masterminds/semver/v3"
	"github.com/Masterminds/sprig/v3"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/kustomize/kyaml/yaml/merge2"
	"sigs.k8s.io/yaml"
)

// chartsFolder is where the archives of charts stand that are no part of the repository.
const chartsFolder = ".git/charts/"

// releaseNamespace notes, while Kustomize builds, where a chart's objects land that name no namespace.
const releaseNamespace = "internal.towpath.dev/release-namespace"

// inflation is an entry of helmCharts in a kustomization. What it renders to is a file to Kustomize, and is rendered when
// that is read.
type inflation struct {
	types.HelmChart
	// Of the kustomization, and where the chart would be in the repository.
	name, dir string
	// The archive, where it is not there.
	archive string
}

// withCharts puts files that are rendered of charts among the resources of a kustomization, in the place of helmCharts.
// It notes the charts that are not there yet.
func (r *repository) withCharts(name string, text []byte) ([]byte, *failure) {
	converted, err := yaml.YAMLToJSON(text)
	var fields map[string]json.RawMessage
	if err != nil || json.Unmarshal(converted, &fields) != nil {
		return text, nil
	}
	var charts []types.HelmChart
	var globals types.HelmGlobals
	resources, all := "resources", []any{}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		var err error
		switch strings.ToLower(key) {
		case "helmcharts":
			err = strictly(fields[key], &charts)
			delete(fields, key)
		case "helmglobals":
			err = strictly(fields[key], &globals)
			delete(fields, key)
		case "resources":
			if json.Unmarshal(fields[key], &all) != nil {
				return text, nil
			}
			resources = key
		}
		if err != nil {
			return nil, r.invalid(name, "%s of %s cannot be read: %s", key, r.shown(name), sentence(yamlReason(err)))
		}
	}
	if len(charts) == 0 {
		return text, nil
	}
	for i, each := range charts {
		file, failed := r.noteChart(name, i, each, globals)
		if failed != nil {
			return nil, failed
		}
		all = append(all, file)
	}
	fields[resources], _ = json.Marshal(all)
	written, err := json.Marshal(fields)
	if err != nil {
		return text, nil
	}
	return written, nil
}

func strictly(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func (r *repository) invalid(name, format string, args ...any) *failure {
	return fail("KustomizationInvalid", format, args...).at(r.shown(name), 0)
}

var (
	releaseName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	chartNames  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
)

// noteChart returns the file, relative to the kustomization, that stands for a chart.
func (r *repository) noteChart(name string, index int, c types.HelmChart, globals types.HelmGlobals) (string, *failure) {
	file := r.shown(name)
	if !chartNames.MatchString(c.Name) {
		return "", r.invalid(name, "%s inflates a chart by the name %q, which is none.", file, c.Name)
	}
	refuse := func(format string, args ...any) (string, *failure) {
		return "", r.invalid(name, "%s inflates the chart %s %s", file, c.Name, fmt.Sprintf(format, args...))
	}
	if failed := r.nameRelease(name, &c); failed != nil {
		return "", failed
	}
	home := path.Join(path.Dir(name), cmp.Or(globals.ChartHome, types.HelmDefaultHome))
	if path.IsAbs(globals.ChartHome) || withinBase(home) != withinBase(name) {
		return refuse("from %s, which is outside its repository. Set helmGlobals.chartHome to a folder in it.", globals.ChartHome)
	}
	switch c.ValuesMerge {
	case "", "override", "merge", "replace":
	default:
		return refuse("with valuesMerge %q: write override, merge or replace.", c.ValuesMerge)
	}
	if c.Devel {
		return refuse("with devel, which is not supported: write the version, or a range that has pre-releases in it, as >0.0.0-0.")
	}
	if c.Version != "" && c.Repo != "" {
		// What becomes a part of the path leads out of the repository as well as chartHome.
		if strings.Contains(c.Version, "/") {
			return refuse("with the version %q, which is none, nor a range of versions.", c.Version)
		}
		home = path.Join(home, c.Name+"-"+c.Version)
	}
	one := &inflation{HelmChart: c, name: name, dir: path.Join(home, c.Name)[1:]}
	if r.typeOf("/"+path.Join(one.dir, "Chart.yaml")) != "file" {
		if c.Repo == "" {
			return refuse("from nowhere: it is not in %s, and no repo says where else. Commit it there, or add repo and version.", r.shown("/"+one.dir))
		}
		if failed := r.needChart(one); failed != nil {
			return "", failed
		}
	}
	below := path.Join(".git", fmt.Sprintf("helm-%d.yaml", index))
	at := path.Join(path.Dir(name), below)
	r.types[at], r.inflations[at] = "file", one
	return below, nil
}

// nameRelease decides on the release's name. Helm makes one up, another one each time, where there is none.
func (r *repository) nameRelease(name string, c *types.HelmChart) *failure {
	file := r.shown(name)
	if c.ReleaseName == "" && c.NameTemplate != "" {
		var text strings.Builder
		parsed, err := template.New("nameTemplate").Funcs(sprig.TxtFuncMap()).Parse(c.NameTemplate)
		if err == nil {
			err = parsed.Execute(&text, nil)
		}
		if err != nil {
			return r.invalid(name, "%s has a nameTemplate for the chart %s that fails: %s", file, c.Name, sentence(shorten(oneLine(err.Error()))))
		}
		c.ReleaseName = strings.TrimSpace(text.String())
	}
	if c.ReleaseName == "" {
		return r.invalid(name, "%s inflates the chart %s without a releaseName; Helm would make up another one each time. Write one.", file, c.Name)
	}
	if len(c.ReleaseName) > 53 || !releaseName.MatchString(c.ReleaseName) {
		return r.invalid(name, "%s inflates the chart %s as the release %q, which is no name that Helm takes: at most 53 lower case letters, digits, - and . are.", file, c.Name, shorten(c.ReleaseName))
	}
	return nil
}

// needChart notes the archive of a chart, and that it lacks where it is not there.
func (r *repository) needChart(c *inflation) *failure {
	if !strings.HasPrefix(c.Repo, "https://") && !strings.HasPrefix(c.Repo, "oci://") {
		return r.invalid(c.name, "%s inflates the chart %s from %s, which is neither https:// nor oci://: nothing else is fetched. Commit the chart to %s.", r.shown(c.name), c.Name, c.Repo, r.shown("/"+c.dir))
	}
	version := cmp.Or(c.Version, "*")
	if _, err := semver.NewConstraint(version); err != nil {
		return r.invalid(c.name, "%s inflates the chart %s with the version %q, which is none, nor a range of versions.", r.shown(c.name), c.Name, c.Version)
	}
	sum := sha256.Sum256([]byte(c.Repo + "\x00" + c.Name + "\x00" + version))
	c.archive = chartsFolder + hex.EncodeToString(sum[:8]) + ".tgz"
	if len(r.charts) > mostRemote {
		return r.invalid(c.name, "%s and what it refers to inflate more than %d charts that are not in the repository. Commit some of them.", r.shown(c.name), mostRemote)
	}
	if r.typeOf("/"+c.archive) != "file" {
		r.charts = withRef(r.charts, dependencyRef{Name: c.Name, Version: version, Repository: c.Repo, IsRange: isRange(version, c.Repo), File: c.archive})
	}
	return nil
}

// lackingCharts is the failure that names what charts are to be fetched.
func (r *repository) lackingCharts() *failure {
	first := r.charts[0]
	f := fail("DependencyMissing", "The kustomization inflates the chart %s %s from %s, which is not in the repository.", first.Name, first.Version, first.Repository)
	f.Fetch = r.charts
	return f
}

// inflated renders a chart, as a file of manifests.
func (r *repository) inflated(c *inflation) ([]byte, error) {
	asm := r.engine.newAssembly()
	from, dir, err := r.chartTree(asm, c)
	if err != nil {
		return nil, err
	}
	asm.packed, asm.whole = from.isPublished(), true
	loaded, err := asm.chart(dir, from, nil)
	if err != nil {
		return nil, err
	}
	if err := r.refuseOther(c, loaded); err != nil {
		return nil, err
	}
	if c.Namespace == "" && r.inherited[path.Dir(c.name)] == severalNamespaces {
		return nil, r.invalid(c.name, "%s inflates the chart %s, and kustomizations refer to it that set different namespaces. Give the chart a namespace there.", r.shown(c.name), c.Name)
	}
	req, namespace := r.requestOf(c, dir)
	values, err := r.valuesOf(c, from)
	if err != nil {
		return nil, err
	}
	if err := checkChart(loaded, req); err != nil {
		return nil, err
	}
	sources, err := r.engine.chartSources(loaded, values, req, asm)
	if err != nil {
		return nil, err
	}
	return textOf(c, loaded, sources, asm.where, namespace), nil
}

// refuseOther fails where what was fetched for a chart is another one, or another version.
func (r *repository) refuseOther(c *inflation, loaded *chart.Chart) error {
	wanted, is := cmp.Or(c.Version, "*"), loaded.Metadata
	if c.archive == "" || is.Name == c.Name && allows(wanted, c.Repo, is.Version) {
		return nil
	}
	return fail("ChartArchiveInvalid", "What %s has as chart %s %s is chart %s %s. Have who publishes it correct that, or use another version.", c.Repo, c.Name, wanted, shorten(is.Name), shorten(is.Version)).at(r.shown(c.name), 0)
}

// allows tells whether a version is what another one, or a range, stands for. The tag 1.2 of a registry may be each 1.2.x.
func allows(wanted, repository, is string) bool {
	if sameVersion(wanted, is) {
		return true
	}
	if !isRange(wanted, repository) && isWhole(wanted) {
		return false
	}
	allowed, err := semver.NewConstraint(wanted)
	version, errIs := semver.NewVersion(is)
	return err == nil && errIs == nil && allowed.Check(version)
}

// chartTree are the files of a chart, and where they are as messages have it.
func (r *repository) chartTree(asm *assembly, c *inflation) (*tree, string, error) {
	if c.archive == "" {
		from, err := asm.trees.chart(c.dir)
		if err == nil && from == nil {
			err = r.invalid(c.name, "The chart in %s cannot be read.", r.shown("/"+c.dir))
		}
		return from, c.dir, err
	}
	name := c.Name + "-" + cmp.Or(c.Version, "latest") + ".tgz"
	_, blobs := r.ask("read", "/"+c.archive)
	if failed := r.failed(); failed != nil || len(blobs) != 1 {
		return nil, "", cmp.Or[error](failed, r.invalid(c.name, "The archive of the chart %s cannot be read.", c.Name))
	}
	files, err := unpack(blobs[0])
	if err != nil {
		return nil, "", chartFailure(name, err, true)
	}
	// Kustomize unpacks it and renders the directory, by its .helmignore.
	return &tree{files: files, unpacked: true}, name, nil
}

// requestOf is the request of who would render the chart by itself, and where its objects land as the kustomizations say
// it; empty where none does.
func (r *repository) requestOf(c *inflation, dir string) (*request, string) {
	req := *r.request
	namespace := cmp.Or(c.Namespace, r.namespaces[path.Dir(c.name)])
	req.Path, req.ReleaseName, req.SkipSchemaValidation = dir, c.ReleaseName, false
	req.Namespace = cmp.Or(namespace, req.Namespace)
	req.KubeVersion = cmp.Or(c.KubeVersion, req.KubeVersion)
	req.APIVersions = append(slices.Clone(req.APIVersions), c.ApiVersions...)
	return &req, namespace
}

// valuesOf merges the values of a chart as Kustomize does, before Helm merges them with the chart's own.
func (r *repository) valuesOf(c *inflation, from *tree) (map[string]any, error) {
	text, file, err := r.firstValues(c, from)
	if err != nil {
		return nil, err
	}
	if len(c.ValuesInline) > 0 {
		if text, err = mergeInline(c, text); err != nil {
			return nil, r.invalid(c.name, "valuesInline of the chart %s in %s cannot be merged with %s: %s", c.Name, r.shown(c.name), file, sentence(yamlReason(err)))
		}
		file = fmt.Sprintf("valuesInline of the chart %s in %s", c.Name, r.shown(c.name))
	}
	sources, texts := []valuesSource{{Name: file, Format: "yaml"}}, [][]byte{text}
	for _, name := range c.AdditionalValuesFiles {
		text, file, err := r.valuesFile(c, name)
		if err != nil {
			return nil, err
		}
		sources, texts = append(sources, valuesSource{Name: file, File: file, Format: "yaml"}), append(texts, text)
	}
	return mergeValues(sources, texts, newRedaction())
}

func (r *repository) firstValues(c *inflation, from *tree) ([]byte, string, error) {
	if c.ValuesFile != "" {
		return r.valuesFile(c, c.ValuesFile)
	}
	for _, f := range from.files {
		if f.Name == "values.yaml" {
			return f.Data, "values.yaml of chart " + c.Name, nil
		}
	}
	return nil, "values.yaml of chart " + c.Name, nil
}

// valuesFile reads a file that is in or below the kustomization's folder, as Kustomize wants it.
func (r *repository) valuesFile(c *inflation, name string) ([]byte, string, error) {
	if r.isOutside(c.name, name) {
		return nil, "", outsideFailure(r.shown(c.name), name)
	}
	dir := path.Dir(c.name)
	at := path.Join(dir, name)
	if path.IsAbs(name) || !strings.HasPrefix(at, strings.TrimSuffix(dir, "/")+"/") {
		return nil, "", r.invalid(c.name, "The values file %s of the chart %s in %s is not in or below the folder of that kustomization. Move it there.", name, c.Name, r.shown(c.name))
	}
	// Helm's own words on it are told.
	r.content[at] = true
	text, err := r.ReadFile(at)
	if err != nil && r.refused == nil {
		return nil, "", r.invalid(c.name, "There is no %s, a values file of the chart %s in %s.", r.shown(at), c.Name, r.shown(c.name))
	}
	return text, r.shown(at), err
}

// mergeInline merges valuesInline with the text of a values file.
func mergeInline(c *inflation, text []byte) ([]byte, error) {
	if c.ValuesMerge == "replace" {
		return yaml.Marshal(c.ValuesInline)
	}
	var there map[string]any
	if yaml.Unmarshal(text, &there) == nil && len(there) == 0 {
		// Comments alone are nothing that can be merged with.
		text = []byte("{}")
	}
	ofFile, err := kyaml.Parse(string(text))
	if err != nil {
		return nil, err
	}
	inline, err := kyaml.FromMap(c.ValuesInline)
	if err != nil {
		return nil, err
	}
	wins, base := inline, ofFile
	if c.ValuesMerge == "merge" {
		wins, base = ofFile, inline
	}
	merged, err := merge2.Merge(wins, base, kyaml.MergeOptions{})
	if err != nil || merged == nil {
		return nil, err
	}
	values, err := merged.Map()
	if err != nil {
		return nil, err
	}
	return yaml.Marshal(values)
}

// textOf writes the objects of a chart down for Kustomize.
func textOf(c *inflation, loaded *chart.Chart, sources []source, where places, namespace string) []byte {
	definitions := map[string]bool{}
	for _, crd := range loaded.CRDObjects() {
		definitions[where[crd.File]] = true
	}
	marks := map[string]string{konfig.HelmGeneratedAnnotation: "true"}
	if namespace != "" {
		marks[releaseNamespace] = namespace
	}
	var text bytes.Buffer
	for _, s := range sources {
		if definitions[s.file] && !c.IncludeCRDs || s.hook != nil && c.SkipHooks {
			continue
		}
		metadata := maps.Clone(s.metadata)
		metadata["annotations"] = withEntries(metadata["annotations"], marks)
		encoded, _ := json.Marshal(metadata)
		text.WriteString("---\n")
		text.Write(s.before)
		text.Write(encoded)
		text.Write(s.after)
		text.WriteString("\n")
	}
	return text.Bytes()
}

// settle has an object of a chart land in the namespace of its release. Kustomize leaves that to Helm.
func settle(r *resource.Resource) error {
	annotations := r.GetAnnotations()
	namespace, ok := annotations[releaseNamespace]
	if !ok {
		return nil
	}
	delete(annotations, releaseNamespace)
	if err := r.SetAnnotations(annotations); err != nil {
		return err
	}
	if r.GetNamespace() != "" {
		return nil
	}
	return r.SetNamespace(namespace)
}
