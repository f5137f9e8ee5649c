package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A message is a JSON header followed by raw blobs:
//
//	4 bytes, big endian: length of the header
//	the header: a JSON object; its `blobs` lists the lengths of the blobs that follow
//	the blobs, one after the other
//
// Parent to engine: `render`, `index` and `verify` begin a request; `tree` and `answer` reply to what the engine asked meanwhile.
// Engine to parent: `need` asks for a tree by digest, `ask` for a file, a listing, a stat or a chart's digest in
// the repository;
// `result` or `failure` ends the request.
type channel struct {
	in  *bufio.Reader
	out *bufio.Writer
}

const maxHeaderBytes = 64 << 20

var errFrame = errors.New("a message that is not one")

// receive reads one message into header and returns its blobs; maxBytes bounds the blobs' sum.
func (c *channel) receive(header any, maxBytes int64) ([][]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(c.in, length[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(length[:])
	if size > maxHeaderBytes {
		return nil, errFrame
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(c.in, text); err != nil {
		return nil, err
	}
	var frame struct {
		Blobs []int64 `json:"blobs"`
	}
	if err := json.Unmarshal(text, &frame); err != nil {
		return nil, fmt.Errorf("%w: %w", errFrame, err)
	}
	if err := json.Unmarshal(text, header); err != nil {
		return nil, fmt.Errorf("%w: %w", errFrame, err)
	}
	blobs := make([][]byte, len(frame.Blobs))
	for i, n := range frame.Blobs {
		if maxBytes -= n; n < 0 || maxBytes < 0 {
			return nil, errFrame
		}
		blobs[i] = make([]byte, n)
		if _, err := io.ReadFull(c.in, blobs[i]); err != nil {
			return nil, err
		}
	}
	return blobs, nil
}

// send writes one message. The header must marshal to an object with the blobs' lengths in `blobs`.
func (c *channel) send(header any, blobs ...[]byte) error {
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(text)))
	if _, err := c.out.Write(length[:]); err != nil {
		return err
	}
	if _, err := c.out.Write(text); err != nil {
		return err
	}
	for _, blob := range blobs {
		if _, err := c.out.Write(blob); err != nil {
			return err
		}
	}
	return c.out.Flush()
}
