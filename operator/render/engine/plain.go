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
	for _, ref := range req.Trees {
		directory, err := trees.get(ref)
		if err != nil {
			return nil, err
		}
		files := slices.Clone(directory.files)
		slices.SortFunc(files, func(a, b *bufferedFile) int { return strings.Compare(a.Name, b.Name) })
		for _, f := range files {
			file := path.Join(ref.Path, f.Name)
			for _, doc := range e.documents.split(strings.TrimPrefix(string(f.Data), "\ufeff")) {
				if doc.err != nil {
					invalid = append(invalid, invalidDocument(file, doc))
				}
				for _, o := range doc.objects {
					sources = append(sources, source{object: o, file: file, number: doc.number})
				}
			}
		}
	}
	if len(invalid) > 0 {
		return nil, manifestFailure(invalid)
	}
	return finish(req, sources)
}
