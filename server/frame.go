package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// errFrameTooLong means that a line was longer than the limit. It has been
// read to its end and thrown away; the next line can be read.
var errFrameTooLong = errors.New("frame too long")

// frameReader cuts a stream into lines without holding more than limit bytes
// of one.
type frameReader struct {
	in    *bufio.Reader
	limit int
}

func newFrameReader(in io.Reader, limit int) *frameReader {
	return &frameReader{in: bufio.NewReaderSize(in, 64<<10), limit: limit}
}

// next returns the next line without its line end, in memory of its own. The
// last line may lack a line end. At the end of the stream the error is io.EOF.
func (r *frameReader) next() ([]byte, error) {
	var frame []byte
	for {
		part, err := r.in.ReadSlice('\n')
		if len(frame)+len(bytes.TrimRight(part, "\r\n")) > r.limit {
			return nil, r.skip(err)
		}
		frame = append(frame, part...)
		switch {
		case err == nil, err == io.EOF && len(frame) > 0:
			return bytes.TrimSuffix(bytes.TrimSuffix(frame, []byte("\n")), []byte("\r")), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// skip reads on to the end of a line that is too long; err is what reading its
// last part gave.
func (r *frameReader) skip(err error) error {
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.in.ReadSlice('\n')
	}
	if err != nil && err != io.EOF {
		return err
	}
	return errFrameTooLong
}
