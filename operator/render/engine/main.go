// The engine renders charts, kustomizations and plain directories for the operator: a child process that gets
// one request at a time over stdin and answers over stdout. It has no environment, no network and opens no file
// after its start; see frames.go for the messages.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
)

type engine struct {
	channel   *channel
	trees     *trees
	documents *documents
	maxInput  int64
	processor time.Duration
}

func main() {
	memory := flag.Int64("memory", 512<<20, "bytes of memory that the process may use")
	cache := flag.Int("cache", 64<<20, "bytes of charts and of parsed manifests that are kept")
	input := flag.Int64("input", 64<<20, "bytes of files that one request may bring")
	processor := flag.Duration("cpu", 20*time.Second, "processor time that one request may take")
	flag.Parse()
	archive.MaxDecompressedChartSize = *input
	in, out := os.Stdin, os.Stdout
	if err := confine(*memory); err != nil {
		fmt.Fprintln(os.Stderr, "confine the engine:", err)
		os.Exit(1)
	}
	// Never touched, so that it takes no memory: Go collects when the heap has doubled, and a heap of a few
	// megabytes would be collected several times a render.
	room := make([]byte, 32<<20)
	defer runtime.KeepAlive(room)
	e := &engine{
		channel:   &channel{in: bufio.NewReaderSize(in, 1<<16), out: bufio.NewWriterSize(out, 1<<16)},
		trees:     newTrees(*cache / 2),
		documents: newDocuments(*cache / 2),
		maxInput:  *input,
		processor: *processor,
	}
	idle := time.AfterFunc(idleAfter, debug.FreeOSMemory)
	for {
		if err := e.serve(idle); err != nil {
			if errors.Is(err, io.EOF) {
				return
			}
			fmt.Fprintln(os.Stderr, "engine:", err)
			os.Exit(1)
		}
	}
}

// idleAfter is how long nothing is asked until memory that nothing needs is given back.
const idleAfter = 5 * time.Second

// lookupParts is of how many parts of a render's processor time a lookup in an index may take one: few of them run at
// once, and others wait for that. The operator tells of it (LOOKUP_PARTS).
const lookupParts = 4

// serve answers one request.
func (e *engine) serve(idle *time.Timer) error {
	var req request
	texts, err := e.channel.receive(&req, e.maxInput)
	if err != nil {
		return err
	}
	idle.Stop()
	defer idle.Reset(idleAfter)
	processor := e.processor
	if req.Type == "index" {
		processor /= lookupParts
	}
	allowance := allow(processor)
	defer allowance.end()
	if req.Type == "index" && len(texts) == 1 {
		return e.serveIndex(&req.Index, texts[0])
	}
	if req.Type == "verify" && len(texts) == 3 {
		return e.serveVerify(&req.Verify, texts)
	}
	if req.Type != "render" || len(texts) != len(req.Values) {
		return fmt.Errorf("%w: a request of type %q", errFrame, req.Type)
	}
	hide := newRedaction()
	asked = newReads()
	var said warnings
	log.SetFlags(0)
	log.SetOutput(&said)
	res, err := e.render(&req, texts, hide)
	allowance.end()
	if err != nil {
		var known *failure
		if !errors.As(err, &known) {
			if isBroken(err) {
				return err
			}
			known = fail("RenderFailed", "%s", sentence(err.Error()))
		}
		return e.sendFailure(hide.applyTo(known))
	}
	for _, line := range said.lines {
		res.Warnings = append(res.Warnings, hide.apply(line))
	}
	res.Reads = slices.AppendSeq([]string{}, maps.Keys(asked.names))
	slices.Sort(res.Reads)
	var manifests [][]byte
	total := 0
	for _, list := range [][]manifest{res.Objects, res.Hooks} {
		for _, m := range list {
			manifests = append(manifests, m.text)
			total += len(m.text)
		}
	}
	if total > req.MaxOutputBytes {
		return e.sendFailure(fail("RenderTooLarge", "%s renders to more than %d MiB. Split it into several Applications.", shown(req.Path), req.MaxOutputBytes>>20))
	}
	res.Blobs = []int{total}
	return e.channel.send(res, manifests...)
}

func (e *engine) sendFailure(f *failure) error {
	return e.channel.send(struct {
		Type string `json:"type"`
		*failure
	}{"failure", f})
}

// serveIndex answers where a chart's version is by a Helm repository's index.
func (e *engine) serveIndex(req *indexRequest, text []byte) error {
	found, err := findInIndex(req, text)
	if err != nil {
		var known *failure
		if !errors.As(err, &known) {
			return err
		}
		return e.sendFailure(known)
	}
	return e.channel.send(found)
}

// serveVerify answers who signed a chart's archive.
func (e *engine) serveVerify(req *verifyRequest, texts [][]byte) (err error) {
	// What others wrote is read by a library that was not made for it alone.
	defer func() {
		if r := recover(); r != nil {
			err = e.sendFailure(fail("ChartSignatureInvalid", "The signature of chart %s %s of %s cannot be read: %v. Have the chart signed anew, or use another version.", req.Name, req.Version, req.Repository, r))
		}
	}()
	by, err := verify(req, texts[0], texts[1], texts[2])
	if err != nil {
		var known *failure
		if !errors.As(err, &known) {
			return err
		}
		return e.sendFailure(known)
	}
	return e.channel.send(by)
}

func (e *engine) render(req *request, texts [][]byte, hide *redaction) (res *result, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fail("RenderFailed", "Rendering %s failed: %v.", shown(req.Path), r)
		}
	}()
	switch req.Kind {
	case "Helm":
		return e.renderHelm(req, texts, hide)
	case "Kustomize":
		return e.renderKustomize(req)
	case "Plain":
		return e.renderPlain(req)
	}
	return nil, fmt.Errorf("a request of kind %q", req.Kind)
}

// repositoryTrees gives the trees of one request: those that it names, and those that turn out to be needed.
type repositoryTrees struct {
	engine *engine
	left   int64
	at     map[string]*tree
	// In the order of their first use.
	digests []string
}

func (e *engine) treesOf() *repositoryTrees {
	return &repositoryTrees{engine: e, left: e.maxInput, at: map[string]*tree{}}
}

// get returns a tree whose digest is known; the parent is asked for one that is not kept.
func (r *repositoryTrees) get(ref treeRef) (*tree, error) {
	if known := r.at[ref.Path]; known != nil {
		return known, nil
	}
	kept := r.engine.trees.get(ref.Digest)
	if kept == nil {
		var err error
		if kept, err = r.engine.fetchTree(ref, &r.left); err != nil {
			return nil, err
		}
	}
	kept.packed = ref.Packed
	r.at[ref.Path] = kept
	r.digests = append(r.digests, ref.Digest)
	return kept, nil
}

// maxCharts bounds what one chart may be made of with file:// dependencies, each counted as often as it is used.
const maxCharts = 200

// chart returns the tree of a chart in the repository; nil where there is none.
func (r *repositoryTrees) chart(dir string) (*tree, error) {
	if known := r.at[dir]; known != nil {
		return known, nil
	}
	reply, _, err := r.engine.ask("chart", dir, &r.left)
	if err != nil || reply.Digest == "" {
		return nil, err
	}
	return r.get(treeRef{Path: dir, Digest: reply.Digest})
}

// broken is a failure of the conversation with the parent: the process ends.
type broken struct{ error }

func (b broken) Unwrap() error { return b.error }

func isBroken(err error) bool {
	var b broken
	return errors.As(err, &b)
}

func (e *engine) fetchTree(ref treeRef, left *int64) (*tree, error) {
	need := struct {
		Type string `json:"type"`
		treeRef
	}{"need", ref}
	if err := e.channel.send(need); err != nil {
		return nil, broken{err}
	}
	var reply struct {
		Type  string   `json:"type"`
		Files []string `json:"files"`
	}
	blobs, err := e.channel.receive(&reply, *left)
	if err == nil && reply.Type == "cancel" {
		return nil, cancelled(ref.Path)
	}
	if err != nil || reply.Type != "tree" {
		return nil, broken{fmt.Errorf("a tree was asked for, and %q came: %w", reply.Type, err)}
	}
	for _, blob := range blobs {
		*left -= int64(len(blob))
	}
	e.trees.put(ref.Digest, reply.Files, blobs)
	return e.trees.get(ref.Digest), nil
}

// cancelled is how a request ends whose question the parent could not answer; the parent knows why.
func cancelled(path string) *failure {
	return fail("RenderFailed", "%s could not be read.", shown(path))
}

// answer is the parent's reply to a question about the repository.
type answer struct {
	Type   string   `json:"type"`
	Found  string   `json:"found"` // file, directory, or nothing
	Names  []string `json:"names"`
	Digest string   `json:"digest"` // of the chart in a directory
}

// ask asks the parent about a path of the repository; left bounds what it may send.
func (e *engine) ask(operation, name string, left *int64) (answer, [][]byte, error) {
	var reply answer
	question := struct {
		Type      string `json:"type"`
		Operation string `json:"operation"`
		Path      string `json:"path"`
	}{"ask", operation, strings.TrimPrefix(path.Clean("/"+name), "/")}
	if err := e.channel.send(question); err != nil {
		return reply, nil, broken{err}
	}
	blobs, err := e.channel.receive(&reply, *left)
	if err == nil && reply.Type == "cancel" {
		return reply, nil, cancelled(question.Path)
	}
	if err != nil || reply.Type != "answer" {
		return reply, nil, broken{fmt.Errorf("%s of %s was asked, and %q came: %w", operation, name, reply.Type, err)}
	}
	for _, blob := range blobs {
		*left -= int64(len(blob))
	}
	return reply, blobs, nil
}

// warnings keeps the first lines that Helm's libraries log.
type warnings struct{ lines []string }

const maxWarnings = 20

func (w *warnings) Write(p []byte) (int, error) {
	line := strings.TrimPrefix(strings.TrimSpace(string(p)), "warning: ")
	if len(w.lines) < maxWarnings {
		w.lines = append(w.lines, line)
	}
	return len(p), nil
}
