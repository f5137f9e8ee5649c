package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/provenance"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// renderKustomize builds a kustomization as `kustomize build` does, without plugins. Files are asked of the parent as they
// are needed; bases may be anywhere in the repository, and in others, whose files the parent has after it was told which.
func (e *engine) renderKustomize(req *request) (*result, error) {
	repository := &repository{FileSystem: filesys.MakeFsInMemory(), engine: e, left: e.maxInput,
		types: map[string]string{}, texts: map[string][]byte{}, rewritten: map[string][]byte{},
		read: map[string]bool{}, content: map[string]bool{}, bases: map[string]*remoteBase{},
		request: req, inflations: map[string]*inflation{}, namespaces: map[string]string{}, inherited: map[string]string{}}
	repository.gather(path.Join("/", req.Path), "", map[string]bool{})
	if failed := repository.failed(); failed != nil {
		return nil, failed
	}
	built, err := krusty.MakeKustomizer(kustomizeOptions()).Run(repository, path.Join("/", req.Path))
	file := path.Join(req.Path, repository.rootFile())
	if failed := repository.failed(); failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, fail("KustomizationInvalid", "The kustomization in %s cannot be built: %s", shown(req.Path), sentence(repository.relative(yamlReason(err)))).at(file, lineOf(err))
	}
	var sources []source
	var invalid []detail
	for i, resource := range built.Resources() {
		if err := nameVersion(resource); err != nil {
			return nil, err
		}
		if err := errors.Join(settle(resource), repository.nameOrigins(resource)); err != nil {
			return nil, err
		}
		text, err := resource.AsYAML()
		if err != nil {
			if twice := repository.repeated(); len(twice) > 0 {
				return nil, manifestFailure(twice, correctInGit)
			}
			invalid = append(invalid, invalidDocument(file, &document{number: i + 1, err: err}))
			continue
		}
		for _, doc := range e.documents.split(string(text)) {
			doc := &document{number: i + 1, objects: doc.objects, err: doc.err}
			if doc.err != nil {
				invalid = append(invalid, invalidDocument(file, doc))
			}
			for _, o := range doc.objects {
				each := source{object: o, file: file, number: doc.number}
				if len(repository.inflations) > 0 {
					h, runs := hookOf(o)
					if !runs {
						continue
					}
					each.hook = h
				}
				sources = append(sources, each)
			}
		}
	}
	if len(invalid) > 0 {
		return nil, manifestFailure(invalid, correctInGit)
	}
	repository.warnOfRepeated()
	return finish(req, sources)
}

// kustomizeOptions are those of `kustomize build` without flags: the order is the kustomization's to say.
func kustomizeOptions() *krusty.Options {
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionUnspecified
	return options
}

// nameVersion puts the linked library's version into the label that buildMetadata asks for. Kustomize knows its
// version in its own program only; elsewhere it writes `(devel)`, which no label may be.
func nameVersion(r *resource.Resource) error {
	labels := r.GetLabels()
	if labels[konfig.ManagedbyLabelKey] != "kustomize-"+provenance.GetProvenance().Semver() {
		return nil
	}
	labels[konfig.ManagedbyLabelKey] = "kustomize-" + kustomizeVersion()
	return r.SetLabels(labels)
}

func kustomizeVersion() string {
	build, ok := debug.ReadBuildInfo()
	if ok {
		for _, module := range build.Deps {
			if module.Path == "sigs.k8s.io/kustomize/api" {
				return module.Version
			}
		}
	}
	return "unknown"
}

// warnOfRepeated tells of keys that stand twice in what Kustomize read and took with their last values.
func (r *repository) warnOfRepeated() {
	for _, name := range slices.Sorted(maps.Keys(r.texts)) {
		file := r.shown(name)
		if isKustomization(name) {
			document := nodesOf(r.texts[name])
			warnOfRepeated(file, append(repeatedIn(document, nil), repeatedInline(document)...))
		} else if r.read[name] || !r.content[name] {
			for _, doc := range newDocuments(0).split(string(r.texts[name])) {
				doc.warn(file)
			}
		}
	}
}

// inlined are the fields of a kustomization that may have YAML or JSON written into them as a text.
var inlined = []string{"patches", "patchesStrategicMerge", "patchesJson6902", "generators", "transformers", "validators"}

// repeatedInline finds keys that stand twice in the texts of a kustomization; lines are its own where a text stands on
// lines of its own.
func repeatedInline(document *yamlv3.Node) (found []repeated) {
	for _, top := range document.Content {
		for i := 0; top.Kind == yamlv3.MappingNode && i+1 < len(top.Content); i += 2 {
			if slices.Contains(inlined, top.Content[i].Value) {
				found = append(found, repeatedInTexts(top.Content[i+1])...)
			}
		}
	}
	return found
}

func repeatedInTexts(node *yamlv3.Node) (found []repeated) {
	if node.Kind == yamlv3.ScalarNode && strings.Contains(node.Value, "\n") {
		for _, doc := range newDocuments(0).split(node.Value) {
			shift(doc.repeated, node.Line)
			found = append(found, doc.repeated...)
		}
	}
	for _, child := range node.Content {
		found = append(found, repeatedInTexts(child)...)
	}
	return found
}

// repeated are the keys that stand twice in what Kustomize read, which it refuses without saying where.
func (r *repository) repeated() []detail {
	var all []detail
	for _, name := range slices.Sorted(maps.Keys(r.texts)) {
		for _, doc := range newDocuments(0).split(string(r.texts[name])) {
			if len(doc.repeated) > 0 {
				file := r.shown(name)
				text := fmt.Sprintf("%s, document %d: %s.", file, doc.number, inOneLine(doc.repeated))
				all = append(all, detail{File: file, Line: doc.repeated[0].line, Message: text})
			}
		}
	}
	return all
}

var absolutePath = regexp.MustCompile(`['" ]/[\w.-]+`)

// relative makes paths in Kustomize's messages relative to the repository, as users write them. What else begins
// with a slash, a patch's JSON pointer, stays as it is: nobody looked for it in the repository.
func (r *repository) relative(text string) string {
	tops := map[string]bool{}
	for name := range r.types {
		top, _, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
		tops[top] = true
	}
	return absolutePath.ReplaceAllStringFunc(r.named(oneLine(text)), func(found string) string {
		if top := found[2:]; tops[top] {
			return found[:1] + top
		}
		return found
	})
}

// repository is the Git tree as Kustomize's file system: `/` is the repository's root. What Kustomize may write
// goes to memory.
type repository struct {
	filesys.FileSystem
	engine *engine
	left   int64
	types  map[string]string
	texts  map[string][]byte
	// Whose text is read, and whose is content of a ConfigMap or Secret.
	read, content map[string]bool
	// Kustomizations with folders in the place of URLs, as Kustomize gets them.
	rewritten map[string][]byte
	// What of other repositories is referred to, by folder, and what of that is not there.
	bases   map[string]*remoteBase
	missing []remoteBase
	// What stands for a chart, by file, and the charts that are not there.
	inflations map[string]*inflation
	charts     []dependencyRef
	// Of kustomizations, by their folders: where what their charts render to lands.
	namespaces map[string]string
	// Of those that set none themselves.
	inherited map[string]string
	request   *request
	first     string
	refused   *failure
	broken    error
}

// failed is what went wrong while files were read.
func (r *repository) failed() error {
	switch {
	case r.broken != nil:
		return r.broken
	case r.refused != nil:
		return r.refused
	case len(r.missing) > 0:
		return r.lacking()
	case len(r.charts) > 0:
		return r.lackingCharts()
	}
	return nil
}

func (r *repository) ask(operation, name string) (answer, [][]byte) {
	if r.broken != nil {
		return answer{}, nil
	}
	reply, blobs, err := r.engine.ask(operation, name, &r.left)
	if isBroken(err) {
		r.broken = err
	} else if err != nil {
		errors.As(err, &r.refused)
	}
	return reply, blobs
}

func (r *repository) typeOf(name string) string {
	name = path.Clean("/" + name)
	found, known := r.types[name]
	if !known {
		reply, _ := r.ask("stat", name)
		found = reply.Found
		r.types[name] = found
	}
	return found
}

func (r *repository) IsDir(name string) bool  { return r.typeOf(name) == "directory" }
func (r *repository) Exists(name string) bool { return r.typeOf(name) != "" }

func (r *repository) ReadDir(name string) ([]string, error) {
	if !r.IsDir(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	reply, _ := r.ask("list", name)
	return reply.Names, nil
}

func (r *repository) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	name = path.Clean("/" + name)
	switch r.typeOf(name) {
	case "directory":
		return filesys.ConfirmedDir(name), "", nil
	case "file":
		return filesys.ConfirmedDir(path.Dir(name)), path.Base(name), nil
	}
	return "", "", fmt.Errorf("'%s' doesn't exist", name)
}

func (r *repository) ReadFile(name string) ([]byte, error) {
	name = path.Clean("/" + name)
	if text, known := r.rewritten[name]; known {
		return text, nil
	}
	if text, known := r.texts[name]; known {
		return text, nil
	}
	if inflation := r.inflations[name]; inflation != nil {
		return r.inflate(name, inflation)
	}
	if r.typeOf(name) != "file" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	_, blobs := r.ask("read", name)
	if len(blobs) != 1 {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	if isPointer(blobs[0]) {
		r.refused = pointerFailure(r.shown(name))
		return nil, r.refused
	}
	r.texts[name] = blobs[0]
	if isKustomization(name) {
		if r.first == "" {
			r.first = path.Base(name)
		}
		text, failed := r.withBases(name, blobs[0])
		if failed == nil {
			failed = r.inspect(name, blobs[0])
		}
		if failed == nil {
			text, failed = r.withCharts(name, text)
		}
		if failed != nil {
			r.refused = failed
			return nil, failed
		}
		r.rewritten[name] = text
		return text, nil
	}
	return blobs[0], nil
}

// inflate renders what stands for a chart.
func (r *repository) inflate(name string, c *inflation) ([]byte, error) {
	text, err := r.inflated(c)
	if err != nil {
		var known *failure
		switch {
		case isBroken(err):
			r.broken = err
		case errors.As(err, &known):
			// What a chart of a kustomization depends on has to be in it, as Helm wants it of who renders.
			named := *known
			named.Message, named.Fetch = r.named(known.Message), nil
			r.refused = &named
		default:
			r.refused = fail("RenderFailed", "The chart %s, which %s inflates, cannot be rendered: %s", c.Name, r.shown(c.name), sentence(r.named(err.Error())))
		}
		return nil, err
	}
	r.rewritten[name] = text
	return text, nil
}

var kustomizationNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

func isKustomization(name string) bool {
	return slices.Contains(kustomizationNames, path.Base(name))
}

func (r *repository) rootFile() string {
	if r.first == "" {
		return "kustomization.yaml"
	}
	return r.first
}

var remote = regexp.MustCompile(`://|^git::|^(?i:github\.com):|^[\w.-]+@[\w.-]+:|\?(ref|version|timeout|submodules)=|^[\w-]+(\.[\w-]+)+(:\d+)?/[^/]+/[^/]+`)

// patchFile is an entry of patches, patchesJson6902 or replacements.
type patchFile struct{ Path string }

// generator is an entry of configMapGenerator or secretGenerator.
type generator struct {
	Files, Envs []string
	Env         string
}

// kustomization is what of a kustomization may refer to something outside the repository.
type kustomization struct {
	Resources, Bases, Components, Configurations, Crds, Generators, Transformers, Validators []string
	PatchesStrategicMerge                                                                    []string
	Patches, PatchesJSON6902, Replacements                                                   []patchFile
	ConfigMapGenerator, SecretGenerator                                                      []generator
	OpenAPI                                                                                  map[string]string
	HelmChartInflationGenerator                                                              []any
	Namespace                                                                                string
}

// directories are the paths or addresses in a kustomization of what may be a kustomization, too.
func (k *kustomization) directories() []string {
	return slices.Concat(k.Resources, k.Bases, k.Components, k.Generators, k.Transformers, k.Validators)
}

// files are those of what is read as YAML or JSON, and is a file.
func (k *kustomization) files() []string {
	all := slices.Concat(k.Configurations, k.Crds)
	for _, entry := range k.PatchesStrategicMerge {
		if !isInline(entry) {
			all = append(all, entry)
		}
	}
	for _, entry := range slices.Concat(k.Patches, k.PatchesJSON6902, k.Replacements) {
		all = append(all, entry.Path)
	}
	return append(all, k.OpenAPI["path"])
}

// contents are those of what becomes content of a ConfigMap or Secret as it is.
func (k *kustomization) contents() []string {
	var all []string
	for _, entry := range slices.Concat(k.ConfigMapGenerator, k.SecretGenerator) {
		for _, file := range entry.Files {
			if _, path, named := strings.Cut(file, "="); named {
				file = path
			}
			all = append(all, file)
		}
		all = append(append(all, entry.Envs...), entry.Env)
	}
	return all
}

// isInline tells a patch from the path of one: it is a map, or has several lines.
func isInline(entry string) bool {
	var patch map[string]any
	return strings.Contains(entry, "\n") || yaml.Unmarshal([]byte(entry), &patch) == nil && patch != nil
}

// inspect refuses what would need the network or another program, before Kustomize tries it.
func (r *repository) inspect(name string, text []byte) *failure {
	var k kustomization
	if yaml.Unmarshal(text, &k) != nil {
		return nil // Kustomize says what is wrong with it
	}
	file := r.shown(name)
	if len(k.HelmChartInflationGenerator) > 0 {
		return fail("KustomizationInvalid", "%s has helmChartInflationGenerator, which Kustomize has given up. Write helmCharts.", file).at(file, 0)
	}
	for _, entry := range slices.Concat(k.directories(), k.files()) {
		r.read[path.Join(path.Dir(name), entry)] = true
	}
	for _, entry := range k.contents() {
		r.content[path.Join(path.Dir(name), entry)] = true
	}
	for _, entry := range k.directories() {
		if r.isOutside(name, entry) && (parseBase(entry) == nil || isRemoteFile(entry)) {
			return outsideFailure(file, entry)
		}
	}
	for _, entry := range slices.Concat(k.files(), k.contents()) {
		if r.isOutside(name, entry) {
			return outsideFailure(file, entry)
		}
	}
	for _, entry := range slices.Concat(k.directories(), k.files(), k.contents()) {
		if failed := r.refuseEscape(name, entry); failed != nil && !r.isOutside(name, entry) {
			return failed
		}
	}
	return nil
}

func outsideFailure(file, entry string) *failure {
	return fail("RemoteBaseUnsupported", "%s refers to %s, which is outside this Git repository; of other places directories of Git repositories are fetched, as resources or components, and nothing else. Copy it into the repository.", file, entry).at(file, 0)
}
