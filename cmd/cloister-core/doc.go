// Command cloister-core is the trusted program: the one whose measurement
// others know. It takes everything through the gate and nothing from its
// command line; a host starts it, never a person.
package main
