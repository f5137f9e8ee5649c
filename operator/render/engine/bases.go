package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// basesFolder is where the files of other Git repositories stand, each repository in a folder of its own. No commit
// has such a path: Git takes no file that is called so.
const basesFolder = "/.git/bases/"

// No more of what others have is told at once; the parent fetches less than that.
const mostRemote = 200

// longestURL is how many bytes the URL of a repository may have.
const longestURL = 2048

// remoteBase is a directory of another Git repository that a kustomization refers to.
type remoteBase struct {
	// As the kustomization has it.
	URL        string `json:"url"`
	Repository string `json:"repository"`
	// Branch, tag or commit; empty where none is named.
	Ref string `json:"ref"`
	// Where the files of that repository are looked for.
	Folder string `json:"folder"`
	// The kustomization that names it, as messages have it, and the folder of the repository that it is in itself.
	File   string `json:"file"`
	Within string `json:"within"`
	path   string
}

// rewritable are the fields of a kustomization in which a directory of another repository may stand.
var rewritable = []string{"resources", "bases", "components", "generators", "transformers", "validators"}

var (
	gitHubHost = regexp.MustCompile(`(?i)^github\.com[/:]`)
	schemeOf   = regexp.MustCompile(`(?i)^(ssh|https|http)://`)
	userOf     = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9-]*)@`)
	ofManifest = regexp.MustCompile(`(?i)\.(ya?ml|json)$`)
	withUser   = regexp.MustCompile(`(?i)^(git::)?https?://[^/?]*@`)
)

// parseBase reads an entry as Kustomize does that names a directory of a Git repository: nil where it is none. What
// it names over HTTPS with the ending of a manifest is a file.
func parseBase(entry string) *remoteBase {
	if len(entry) > longestURL || strings.ContainsAny(entry, "\n\r\t ") || path.IsAbs(entry) {
		return nil
	}
	text, query, _ := strings.Cut(entry, "?")
	if len(text) > 5 && strings.EqualFold(text[:5], "git::") {
		text = text[5:]
	}
	server, rest := serverOf(text)
	if server == "" {
		return nil
	}
	repository, below, ok := splitAtRepository(rest)
	if !ok || repository == "" {
		return nil
	}
	below = path.Clean("/" + below)[1:]
	base := &remoteBase{URL: entry, Repository: server + repository, Ref: refOf(query), path: below}
	sum := sha256.Sum256([]byte(entry))
	base.Folder = basesFolder[1:] + hex.EncodeToString(sum[:8])
	return base
}

func refOf(query string) string {
	values, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	if ref := values.Get("ref"); ref != "" {
		return ref
	}
	return values.Get("version")
}

// serverOf cuts a URL behind its host: the first part ends with what separates it from the path.
func serverOf(text string) (server, rest string) {
	scheme := strings.ToLower(schemeOf.FindString(text))
	text = text[len(scheme):]
	user := userOf.FindString(text)
	text = text[len(user):]
	onGitHub := gitHubHost.MatchString(text)
	likeScp := scheme == "" && (user != "" || onGitHub)
	if scheme == "" && !likeScp {
		return "", ""
	}
	at := strings.Index(text, "/")
	if colon := strings.Index(text, ":"); likeScp && (at < 0 || colon > 0 && colon < at) {
		at = colon
	}
	if at <= 0 {
		return "", ""
	}
	switch host := text[:at+1]; {
	case onGitHub && (scheme == "ssh://" || user != ""):
		return user + "github.com:", text[at+1:]
	case onGitHub:
		return "https://github.com/", text[at+1:]
	default:
		return scheme + user + host, text[at+1:]
	}
}

// splitAtRepository tells the repository from the directory in it: by what marks its end, or, without a mark, as GitHub
// has it, behind two names.
func splitAtRepository(text string) (repository, below string, ok bool) {
	if before, after, found := strings.Cut(text, "_git/"); found {
		name, below, _ := strings.Cut(after, "/")
		return before + "_git/" + name, below, true
	}
	if before, after, found := strings.Cut(text, "//"); found {
		return before, after, true
	}
	if before, after, found := strings.Cut(text, ".git"); found {
		return before + ".git", after, true
	}
	names := strings.SplitN(text, "/", 3)
	if len(names) < 2 {
		return "", "", false
	}
	if len(names) == 3 {
		below = names[2]
	}
	return names[0] + "/" + names[1], below, true
}

// isRemoteFile tells a file that is read over HTTP from a directory of a repository.
func isRemoteFile(entry string) bool {
	text, _, _ := strings.Cut(entry, "?")
	scheme := schemeOf.FindString(text)
	return strings.HasPrefix(strings.ToLower(scheme), "http") && ofManifest.MatchString(text) &&
		!strings.Contains(text[len(scheme):], "//") && !strings.Contains(text, ".git/") && !strings.Contains(text, "_git/")
}

// withinBase is the folder of the repository that a path is in; empty for the Application's own.
func withinBase(name string) string {
	below, ok := strings.CutPrefix(name, basesFolder)
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(below, "/")
	return basesFolder[1:] + id
}

// withBases puts the folders in the place of the URLs of what another repository has. It notes those that are not there
// yet. Kustomize makes JSON of the text, too, before it reads it.
func (r *repository) withBases(name string, text []byte) ([]byte, *failure) {
	converted, err := yaml.YAMLToJSON(text)
	var fields map[string]json.RawMessage
	if err != nil || json.Unmarshal(converted, &fields) != nil {
		return text, nil
	}
	changed := false
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		for _, list := range rewritable {
			var entries []any
			if !strings.EqualFold(key, list) || json.Unmarshal(fields[key], &entries) != nil {
				continue
			}
			replaced, failed := r.replaceBases(name, entries)
			if failed != nil {
				return nil, failed
			}
			if replaced {
				changed = true
				fields[key], _ = json.Marshal(entries)
			}
		}
	}
	if !changed {
		return text, nil
	}
	written, err := json.Marshal(fields)
	if err != nil {
		return text, nil
	}
	return written, nil
}

func (r *repository) replaceBases(name string, entries []any) (replaced bool, failed *failure) {
	for i, each := range entries {
		if len(r.missing) > mostRemote {
			return false, r.invalid(name, "%s and what it refers to need more than %d directories of other repositories. Copy some of them into the repository.", r.shown(name), mostRemote)
		}
		entry, isText := each.(string)
		if !isText || !r.isOutside(name, entry) {
			continue
		}
		if withUser.MatchString(entry) {
			file := r.shown(name)
			return false, fail("RemoteBaseUnsupported", "%s refers to a repository by a URL with a user or a password in it. Take that out: spec.source.secretRef is used for what is on the same host.", file).at(file, 0)
		}
		base := parseBase(entry)
		if base == nil || isRemoteFile(entry) {
			continue
		}
		r.need(name, base)
		relative, err := filepath.Rel(path.Dir(name), path.Join("/", base.Folder, base.path))
		if err != nil {
			continue
		}
		entries[i], replaced = relative, true
	}
	return replaced, nil
}

// isOutside tells whether an entry names something outside the repository.
func (r *repository) isOutside(name, entry string) bool {
	return !strings.Contains(entry, "\n") && remote.MatchString(entry) && !r.Exists(path.Join(path.Dir(name), entry))
}

// need notes a base, and that it lacks where nothing is in its folder.
func (r *repository) need(name string, base *remoteBase) {
	if r.bases[base.Folder] != nil {
		return
	}
	base.File, base.Within = r.shown(name), withinBase(name)
	r.bases[base.Folder] = base
	if !r.IsDir("/" + base.Folder) {
		r.missing = append(r.missing, *base)
	}
}

// severalNamespaces is no namespace: kustomizations that set others refer to the same one.
const severalNamespaces = "*"

// gather reads the kustomizations below a directory, so that all that they lack is told at once. A namespace that one
// sets is that of the charts below it, too, as far as nothing there sets another.
func (r *repository) gather(dir, namespace string, seen map[string]bool) {
	if r.refused != nil || r.broken != nil {
		return
	}
	if seen[dir] {
		inherited, inherits := r.inherited[dir]
		if !inherits || inherited == namespace || inherited == severalNamespaces {
			return
		}
		// What it refers to lands in as many as it does itself.
		namespace = severalNamespaces
	}
	seen[dir] = true
	for _, name := range kustomizationNames {
		if !r.Exists(path.Join(dir, name)) {
			continue
		}
		text, err := r.ReadFile(path.Join(dir, name))
		var k kustomization
		if err != nil || yaml.Unmarshal(text, &k) != nil {
			continue
		}
		namespace := cmp.Or(k.Namespace, namespace)
		if r.namespaces[dir] = namespace; k.Namespace == "" {
			r.inherited[dir] = namespace
		}
		for _, list := range [][]string{k.Resources, k.Bases, k.Components} {
			for _, entry := range list {
				if below := path.Join(dir, entry); !strings.Contains(entry, "\n") && !path.IsAbs(entry) && r.IsDir(below) {
					r.gather(below, namespace, seen)
				}
			}
		}
	}
}

// lacking is the failure that names what is to be fetched.
func (r *repository) lacking() *failure {
	first := r.missing[0]
	f := fail("RemoteBaseUnsupported", "%s refers to %s, which is in another Git repository.", first.File, first.URL).at(first.File, 0)
	f.Bases = r.missing
	return f
}

// refuseEscape refuses a path that leaves the repository that its kustomization is in.
func (r *repository) refuseEscape(name, entry string) *failure {
	if strings.Contains(entry, "\n") || entry == "" || withinBase(path.Join(path.Dir(name), entry)) == withinBase(name) {
		return nil
	}
	file := r.shown(name)
	return fail("KustomizationInvalid", "%s refers to %s, which is outside the repository that it is in itself. Name that by its URL.", file, r.relative(entry)).at(file, 0)
}

var inFolder = regexp.MustCompile(`(?:\.\./)*/?\.git/bases/([0-9a-f]{16})/?`)

// named has the URLs of repositories in the place of their folders.
func (r *repository) named(text string) string {
	return inFolder.ReplaceAllStringFunc(text, func(found string) string {
		base := r.bases[basesFolder[1:]+inFolder.FindStringSubmatch(found)[1]]
		if base == nil {
			return found
		}
		return fmt.Sprintf("%s//", base.Repository)
	})
}

// shown is a file as messages have it.
func (r *repository) shown(name string) string {
	return r.named(strings.TrimPrefix(name, "/"))
}
