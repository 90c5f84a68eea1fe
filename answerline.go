package daxpay

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"sync/atomic"
)

// answerLine lets through what a connection brings as the answer to what was written to it, and nothing else.
// net/http prints bytes that follow an answer, or come while the connection is idle, to the standard logger; they can
// be a message. To net/http such a connection was closed by the server.
//
// It knows of HTTP only where an answer ends. What it does not understand passes as it is, so that it never keeps back
// a byte of an answer.
type answerLine struct {
	due   atomic.Bool // something was written since the end of the last answer
	raw   atomic.Bool // what comes is no sequence of answers
	ended bool        // something came that answers nothing
	answerEnd
}

var connect = []byte("CONNECT ")

// sends is told of what is written, before it is.
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

// answerEnd finds where an HTTP/1 answer ends. The zero value is at the start of one.
type answerEnd struct {
	part    answerPart
	left    int64    // bytes of the part that are to come
	line    [64]byte // the start of the line that is read
	length  int      // of the line so far
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
	unknown   // nothing is known of what follows
)

func (e *answerEnd) atStart() bool { return e.part == statusLine && e.length == 0 }

// find reads on in b. It returns how many of its bytes belong to the answer, and whether that is complete.
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

// takes reads a line, of which the end is missing if it is long, and tells whether the answer ends with it.
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
		if line[0] == ' ' || line[0] == '\t' { // the line before goes on
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

// takesHeader reads the end of a header, and tells whether there is no body.
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
