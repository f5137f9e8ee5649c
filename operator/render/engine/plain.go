package main

import (
	"path"
	"slices"
	"strings"
)

// renderPlain takes the objects of a directory's *.yaml, *.yml and *.json files, subdirectories too, in the
// order of their paths; the parent sends no hidden files. Files may hold several documents and Lists.
func (e *engine) renderPlain(req *request) (*result, error) {
	trees := e.treesOf()
	var sources []source
	var invalid []detail
	var parts []inPart
	for _, ref := range req.Trees {
		directory, err := trees.get(ref)
		if err != nil {
			return nil, err
		}
		files := slices.Clone(directory.files)
		slices.SortFunc(files, func(a, b *bufferedFile) int { return strings.Compare(a.Name, b.Name) })
		for _, f := range files {
			file := path.Join(ref.Path, f.Name)
			if isPointer(f.Data) {
				return nil, pointerFailure(file)
			}
			docs := e.documents.split(strings.TrimPrefix(string(f.Data), "\ufeff"))
			if part, ok := partOf(file, docs); ok {
				parts = append(parts, part)
				continue
			}
			if !isManifestName(f.Name) {
				continue
			}
			for _, doc := range docs {
				if doc.err != nil {
					invalid = append(invalid, invalidDocument(file, doc))
				}
				doc.warn(file)
				for _, o := range doc.objects {
					sources = append(sources, source{object: o, file: file, number: doc.number})
				}
			}
		}
	}
	if parent := refuseParent(req.Path, parts); parent != nil {
		return nil, parent
	}
	if len(invalid) > 0 {
		return nil, manifestFailure(invalid, correctInGit)
	}
	return finish(req, sources)
}

func isManifestName(name string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name))
}
