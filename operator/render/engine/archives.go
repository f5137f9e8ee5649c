package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
)

// mostEntries bounds what stands in a chart's archive and in the archives in that; the largest charts have some hundreds.
const mostEntries = 10_000

// packedChart matches the archives among a chart's files that Helm unpacks.
var packedChart = regexp.MustCompile(`^(?:charts/[^/_.][^/]*/)*charts/[^/_.][^/]*\.tgz$`)

var driveName = regexp.MustCompile(`^[A-Za-z]:/`)

var errUnpacksTooMuch = errors.New("its archive unpacks to too much")

// unpack returns the files of an archive as Helm reads them, where nothing else stands in it.
func unpack(data []byte) ([]*bufferedFile, error) {
	if err := checkArchive(data); err != nil {
		return nil, err
	}
	return archive.LoadArchiveFiles(bytes.NewReader(data))
}

// refuseArchives refuses a chart that has an archive in its folder charts with what no archive of a chart may have.
func refuseArchives(files []*bufferedFile) error {
	for _, f := range files {
		if !packedChart.MatchString(f.Name) {
			continue
		}
		if err := checkArchive(f.Data); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return nil
}

// checkArchive bounds an archive together with the archives in it by what Helm takes of each.
func checkArchive(data []byte) error {
	most := archive.MaxDecompressedChartSize
	err := (&contents{bytesLeft: most, sizesLeft: most}).add(data)
	if errors.Is(err, errUnpacksTooMuch) {
		return fmt.Errorf("its archive unpacks to more than %d MiB, those in it included", most>>20)
	}
	return err
}

// contents counts what an archive holds, with the archives in it.
type contents struct {
	entries              int
	bytesLeft, sizesLeft int64
}

// add refuses what Helm would take without a word: a link, which it makes an empty file; a second file of one name, which
// it puts beside the first; files without number. What is no archive is left for Helm to tell.
func (c *contents) add(data []byte) error {
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	reader, seen := tar.NewReader(&bounded{unzipped, &c.bytesLeft}), map[string]bool{}
	for {
		entry, err := reader.Next()
		if errors.Is(err, errUnpacksTooMuch) {
			return err
		}
		if err != nil {
			return nil
		}
		if c.entries++; c.entries > mostEntries {
			return fmt.Errorf("its archive has more than %d files and directories", mostEntries)
		}
		// Of a file with holes less stands there than its size.
		if entry.Size > c.sizesLeft {
			return errUnpacksTooMuch
		}
		c.sizesLeft -= entry.Size
		name, err := nameWithin(entry)
		if err != nil {
			return err
		}
		if name == "" {
			continue
		}
		if seen[name] {
			return fmt.Errorf("its archive has the file %q twice", shorten(name))
		}
		seen[name] = true
		if !packedChart.MatchString(name) {
			continue
		}
		packed, err := io.ReadAll(reader)
		if err == nil {
			err = c.add(packed)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", shorten(name), err)
		}
	}
}

// bounded reads no further than there are bytes left, of all who share them.
type bounded struct {
	from io.Reader
	left *int64
}

func (b *bounded) Read(into []byte) (int, error) {
	if *b.left <= 0 {
		return 0, errUnpacksTooMuch
	}
	read, err := b.from.Read(into[:min(int64(len(into)), *b.left)])
	*b.left -= int64(read)
	return read, err
}

// nameWithin is the name of a file in the chart, as Helm has it; empty where it takes nothing of the entry.
func nameWithin(entry *tar.Header) (string, error) {
	isDirectory := entry.FileInfo().IsDir()
	switch {
	case entry.Typeflag == tar.TypeXGlobalHeader:
		return "", nil
	case !isDirectory && entry.Typeflag != tar.TypeReg:
		return "", fmt.Errorf("its archive has %q, a link or device, which is no file", shorten(entry.Name))
	}
	separator := "/"
	if strings.Contains(entry.Name, `\`) {
		separator = `\`
	}
	_, name, _ := strings.Cut(entry.Name, separator)
	name = strings.ReplaceAll(name, separator, "/")
	for _, each := range []string{strings.ReplaceAll(entry.Name, `\`, "/"), name} {
		if path.IsAbs(each) || driveName.MatchString(each) || slices.Contains(strings.Split(each, "/"), "..") {
			return "", fmt.Errorf("its archive has %q, which leads out of it", shorten(entry.Name))
		}
	}
	if isDirectory {
		return "", nil
	}
	return path.Clean(name), nil
}
