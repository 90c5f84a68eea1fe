package daxpay

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"sync/atomic"
)

// answerLine passes on the bytes of a connection that answer a request, and drops all others. net/http prints bytes
// that follow an answer, or arrive on an idle connection, to the standard logger, and they can be part of a message. To
// net/http it looks as if the server had closed the connection.
//
// It only parses HTTP/1 far enough to find where an answer ends. What it cannot parse it passes on unchanged, so it
// never holds back a byte of an answer.
type answerLine struct {
	due   atomic.Bool // a request was written since the last answer ended
	raw   atomic.Bool // the bytes are not HTTP/1 answers
	ended bool        // bytes came that answer nothing
	answerEnd
}

var connect = []byte("CONNECT ")

// sends notes what is about to be written.
func (l *answerLine) sends(b []byte) {
	if bytes.HasPrefix(b, connect) {
		l.raw.Store(true) // a tunnel through a proxy
	}
	l.due.Store(true)
}

func (l *answerLine) read(conn net.Conn, b []byte) (int, error) {
	if l.ended {
		return 0, io.EOF
	}
	n, err := conn.Read(b)
	if n == 0 || l.raw.Load() {
		return n, err
	}
	if l.atStart() && !l.due.Load() {
		l.ended = true
		return 0, io.EOF
	}
	used, complete := l.find(b[:n])
	if complete {
		l.due.Store(false) // net/http does not write again before it has the answer
	}
	if used < n {
		l.ended = true
		return used, io.EOF
	}
	return n, err
}

// answerEnd finds where an HTTP/1 answer ends. Its zero value is at the start of one.
type answerEnd struct {
	part    answerPart
	left    int64    // bytes of the part that are missing
	line    [64]byte // the start of the current line
	length  int      // of the current line so far
	status  int
	old     bool // HTTP/1.0
	chunked bool
	size    int64 // Content-Length, negative if there is none
}

type answerPart uint8

const (
	statusLine answerPart = iota
	headerLine
	sized     // a body, or the data of a chunk with its line break
	chunkSize // a line
	trailer   // lines
	unknown   // cannot be parsed, or ends with the connection
)

func (e *answerEnd) atStart() bool { return e.part == statusLine && e.length == 0 }

// find continues in b. It returns how many of its bytes belong to the answer, and whether the answer is complete.
func (e *answerEnd) find(b []byte) (used int, complete bool) {
	for used < len(b) {
		switch e.part {
		case unknown:
			return len(b), false
		case sized:
			n := min(e.left, int64(len(b)-used))
			used += int(n)
			if e.left -= n; e.left > 0 {
				return used, false
			}
			if e.chunked {
				e.part = chunkSize
				continue
			}
			*e = answerEnd{}
			return used, true
		}
		rest := b[used:]
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			e.add(rest)
			return len(b), false
		}
		e.add(rest[:end])
		used += end + 1
		line := bytes.TrimSuffix(e.line[:min(e.length, len(e.line))], []byte("\r"))
		long := e.length > len(e.line)
		e.length = 0
		if e.takes(line, long) {
			*e = answerEnd{}
			return used, true
		}
	}
	return used, false
}

func (e *answerEnd) add(b []byte) {
	if e.length < len(e.line) {
		copy(e.line[e.length:], b)
	}
	e.length += len(b)
}

var (
	contentLength    = []byte("Content-Length")
	transferEncoding = []byte("Transfer-Encoding")
	chunked          = []byte("chunked")
)

// takes parses a line, whose end is missing if it is long. It reports whether the answer ends with it.
func (e *answerEnd) takes(line []byte, long bool) bool {
	switch e.part {
	case statusLine:
		protocol, status, _ := bytes.Cut(line, []byte(" "))
		status, _, _ = bytes.Cut(bytes.TrimLeft(status, " "), []byte(" "))
		number, err := strconv.Atoi(string(status))
		if !bytes.HasPrefix(protocol, []byte("HTTP/1.")) || err != nil || number == 101 {
			e.part = unknown
			return false
		}
		*e = answerEnd{part: headerLine, status: number, old: string(protocol) == "HTTP/1.0", size: -1}
	case headerLine:
		if len(line) == 0 {
			return e.takesHeader()
		}
		if line[0] == ' ' || line[0] == '\t' { // continues the line before
			e.part = unknown
			return false
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.Trim(value, " \t")
		switch {
		case long && (bytes.EqualFold(name, contentLength) || bytes.EqualFold(name, transferEncoding)):
			e.part = unknown
		case bytes.EqualFold(name, contentLength):
			if size, err := strconv.ParseInt(string(value), 10, 64); err == nil {
				e.size = size
			}
		case bytes.EqualFold(name, transferEncoding):
			e.chunked = bytes.EqualFold(value, chunked) && !e.old
		}
	case chunkSize:
		digits, _, _ := bytes.Cut(line, []byte(";"))
		size, err := strconv.ParseInt(string(bytes.TrimRight(digits, " \t")), 16, 63)
		switch {
		case err != nil || size < 0:
			e.part = unknown
		case size == 0:
			e.part = trailer
		default:
			e.part, e.left = sized, size+int64(len("\r\n"))
		}
	case trailer:
		return len(line) == 0
	}
	return false
}

// takesHeader handles the end of a header. It reports whether the answer has no body.
func (e *answerEnd) takesHeader() bool {
	switch {
	case e.status < 200: // another header follows
		*e = answerEnd{}
		return false
	case e.status == 204 || e.status == 304:
		return true
	case e.chunked:
		e.part = chunkSize
	case e.size > 0:
		e.part, e.left = sized, e.size
	case e.size == 0:
		return true
	default: // the body ends with the connection
		e.part = unknown
	}
	return false
}
