package api

import (
	"net/http"
	"time"
)

// pacedWriter gives a request its deadlines by what it is doing, not by its
// age: receiving the body and sending each piece of the answer are bounded,
// waiting in between is not. So a client that neither sends nor reads holds a
// request only so long, and a stream may be quiet for hours.
//
// A deadline that is left standing while the handler waits would end the
// request: HTTP/1 reads ahead and cancels it, HTTP/2 resets the stream.
// Deadlines fail only on writers that have none, such as a test's recorder.
type pacedWriter struct {
	http.ResponseWriter
	rc *http.ResponseController
}

// pace begins a request. It lifts what the last request on the connection left.
func pace(w http.ResponseWriter) *pacedWriter {
	p := &pacedWriter{w, http.NewResponseController(w)}
	_ = p.rc.SetWriteDeadline(time.Time{})
	return p
}

// receiving and received stand around reading the body.
func (w *pacedWriter) receiving() { _ = w.rc.SetReadDeadline(time.Now().Add(bodyTimeout)) }
func (w *pacedWriter) received()  { _ = w.rc.SetReadDeadline(time.Time{}) }

// finish bounds what the server sends after the handler returned.
func (w *pacedWriter) finish() { w.sending() }

func (w *pacedWriter) sending() { _ = w.rc.SetWriteDeadline(time.Now().Add(writeTimeout)) }
func (w *pacedWriter) sent()    { _ = w.rc.SetWriteDeadline(time.Time{}) }

func (w *pacedWriter) Write(p []byte) (int, error) {
	w.sending()
	defer w.sent()
	return w.ResponseWriter.Write(p)
}

// Flush is what the gRPC handlers look for by type.
func (w *pacedWriter) Flush() {
	w.sending()
	defer w.sent()
	_ = w.rc.Flush()
}

// Unwrap serves http.ResponseController.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
