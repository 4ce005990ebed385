package factom

// Walking over JSON that json.Valid has accepted. Nothing here judges: given
// anything else, values may be cut in odd places, but no index leaves the text.

// members are the members of an object that are still to come.
type members struct{ rest []byte }

// parseObject begins an object's members. ok is false for other values.
func parseObject(value []byte) (m members, ok bool) {
	value = skipSpace(value)
	if len(value) == 0 || value[0] != '{' {
		return m, false
	}
	return members{value[1:]}, true
}

// next is one member: its name, unquoted, and the text of its value.
func (m *members) next() (name, value []byte, ok bool) {
	m.separate()
	if len(m.rest) == 0 || m.rest[0] != '"' {
		return nil, nil, false
	}
	name, m.rest = cutValue(m.rest)
	name, _ = text(name)
	m.separate() // the colon
	value, m.rest = cutValue(m.rest)
	return name, value, len(value) > 0
}

// elements are the elements of an array that are still to come.
type elements struct{ members }

// parseArray begins an array's elements. ok is false for other values.
func parseArray(value []byte) (e elements, ok bool) {
	value = skipSpace(value)
	if len(value) == 0 || value[0] != '[' {
		return e, false
	}
	return elements{members{value[1:]}}, true
}

// next is the text of one element.
func (e *elements) next() (value []byte, ok bool) {
	e.separate()
	if len(e.rest) == 0 || e.rest[0] == ']' {
		return nil, false
	}
	value, e.rest = cutValue(e.rest)
	return value, len(value) > 0
}

// separate skips white space, commas and colons.
func (m *members) separate() {
	i := 0
	for i < len(m.rest) && (isSpace(m.rest[i]) || m.rest[i] == ',' || m.rest[i] == ':') {
		i++
	}
	m.rest = m.rest[i:]
}

// cutValue splits off the value at the front.
func cutValue(b []byte) (value, rest []byte) {
	n := valueLen(b)
	return b[:n], b[n:]
}

// valueLen is the length of the value at the front. It counts brackets instead
// of descending, so depth costs no stack.
func valueLen(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i += stringLen(b[i:]) - 1
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
			if depth < 0 {
				return i
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return len(b)
}

// stringLen is the length of the string at the front, with its quotes.
func stringLen(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func skipSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	return b
}
