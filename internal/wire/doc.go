// Package wire knows the bytes of the DaxPay protocol. Nothing outside this package looks at a byte of a message.
//
// # The way of a message in
//
// Object.Read, or ReadWith for an answer and the data inside it, reads the text once and lists its members (read.go).
// Verify writes the text that the gateway signed (text.message in canonical.go), hashes it with the key and compares
// the digest with the member sign, in constant time (sign.go). Only then are members believed. Plan.Echo and
// Plan.Foreign compare the numbers of orders in an answer with those that were asked for (match.go), Plan.Screen
// refuses what its signature does not protect (screen.go), Plan.Decode fills the struct (decode.go), and Plan.Missing
// and Plan.Repeated tell whether it proves success. All of that goes over the bytes that were verified: walk.go walks
// over them without checks, because the reader made them.
//
// # The way of a message out
//
// PlanOf makes the plan of a struct type once, from its tags (plan.go), and Plan.Layout the order and the names that a
// version of the gateway has for it (layout.go). Plan.Check finds what keeps a param from being sent (check.go), with
// the same screening that answers go through. Encoder.Encode writes the JSON and the signed text in one pass,
// Encoder.Seal adds the signature (encode.go).
//
// # The two orders
//
// The gateway signs the members of a message in the order of the bytes of their names, and those of an object in it in
// an order that ignores case: it sorts the former itself, and its JSON library the latter, in a map whose order is
// String.CASE_INSENSITIVE_ORDER. Objects further down keep the order in which they came. order.go does both, in the
// order that ignores case first, because there members of the same name stand side by side. Names that are not ASCII
// are folded once each. An object whose members must be sorted is looked through for where they are and then written;
// everything else is written while it is walked over, so that no byte is seen more than twice, however deep it stands.
//
// # Numbers
//
// Within lists and objects a number that is no plain integer becomes a Java double, and is signed as Double.toString
// prints it, without trailing zeros where there is no exponent. Java 19 changed what that prints for some doubles. Up
// to below 1e7 all versions print the shortest decimal that reads as the same double: the older algorithm misses it
// only where it lies halfway between two doubles, or for integers from 2^53 on, and a decimal of 17 digits cannot lie
// halfway there. Above, only the doubles that were measured at a gateway count (number.go).
//
// # What is refused, and where
//
//   - by the reader: what RFC 8259 does not allow, invalid UTF-8, half surrogate pairs, two members of the same name in
//     an object, even under another case or one that only encoding/json takes for the same, and what is beyond Limits:
//     depth, members, length of names, and for what is received, names that are not ASCII
//   - while the signed text is written: a number whose form nobody can be certain of (number.go)
//   - by Verify: a sign that is absent, not a string, or not that of the message under any of the keys
//   - by Screen: a message that shares its signature with another one. The signed text joins name=value without escapes
//     and drops quotes and backslashes. So a text that goes on with & and the name of a member could be cut into two
//     members (within nested values, with a comma or a brace and a colon); a code may have no character that structures
//     the text or is dropped from it, nor may the name of a member. NUL is refused everywhere: no text of a payment has
//     one
//   - by Decode: a value of another type than its field, and a member given under its new and its old name
//   - by Check, before anything is sent: all that the gateway would refuse, cut or sign in another form
//
// Nothing is kept from one message to the next but memory, and any message costs time and memory in proportion to its
// length.
package wire
