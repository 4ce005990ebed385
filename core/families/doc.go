// Package families is the registry of all transaction families this program
// has. A family is one folder and one line in All; if adding one takes more, the
// room is drawn wrongly. Which of them a chain uses, its genesis says.
//
// Design §3.
package families
