// Package wire knows the bytes of the DaxPay protocol. No other package looks at the bytes of a message.
//
// # How a message comes in
//
// chars.go classifies bytes, and members.go holds what was found; every other file needs both.
//
// Object.Read, or ReadWith for an answer and the data inside it, reads the text once and lists its members (read.go).
// Verify writes the text that the gateway signed (text.message in canonical.go), hashes it with the key, and compares
// the digest with the member sign, in constant time (sign.go). Only then are members of what is signed believed.
// Plan.Echo and Plan.Foreign compare the numbers of orders in an answer with those in the request (match.go).
// Plan.Screen refuses what the signature does not protect (screen.go), Plan.Decode fills the struct (decode.go), and
// Plan.Missing and Plan.Repeated decide whether it proves success. All of them work on the bytes that were verified:
// walk.go walks over nested values without checks, because the reader has checked them.
//
// # How a message goes out
//
// PlanOf makes the plan of a struct type once, from its tags (plan.go). Plan.Layout gives the members the order and the
// names that they have in a version of the gateway (layout.go). Plan.Check finds what keeps a param from being sent
// (check.go), with the same screening as for answers. Encoder.Encode writes the JSON and the signed text in one pass,
// and Encoder.Seal adds the signature (encode.go).
//
// # The two orders
//
// The gateway signs the members of a message in the order of the bytes of their names. In an object directly in the
// message, or in a list directly in it, it signs them in an order that ignores case: its JSON library keeps those in a
// map whose order is String.CASE_INSENSITIVE_ORDER. Objects further down keep the order in which their members came.
//
// order.go sorts in both orders, first in the one that ignores case: there, members of the same name are neighbors. It
// folds names that are not ASCII once each. An object that must be sorted is walked over twice, first to find its
// members, then to write them. Everything else is written in one walk, so no byte is looked at more than twice, however
// deep it is nested.
//
// # Numbers
//
// In lists and objects, a number that is not a plain integer becomes a Java double. It is signed as Double.toString
// prints it; trailing zeros are deleted if there is no exponent. Java 19 changed what that prints for some doubles.
// From 1e-12 to below 1e7, Java 17 and 25 print the shortest decimal that reads as the same double, except for two
// powers of two, which are refused: three million doubles were compared, and all powers of two with their neighbors.
// From 1e7 on, only the doubles that were measured at a gateway are accepted (number.go).
//
// # What is refused, and where
//
//   - by the reader: what RFC 8259 does not allow, invalid UTF-8, half surrogate pairs, two members of the same name in
//     an object, even if they differ in case or only encoding/json takes them for the same, and what exceeds Limits:
//     depth, number of members, length of names and, in what is received, names that are not ASCII
//   - while the signed text is written: a number whose signed form is not certain (number.go)
//   - by Verify: a sign that is absent, not a string, or not that of the message under any of the keys
//   - by Screen: a message that could be another one with the same signature. The signed text joins name=value without
//     escapes and has no quotes or backslashes, so it does not fix where a text ends. A text with & and a known name
//     could be cut into two members; in nested values, so could a text with a comma or a brace, a known name and a
//     colon. A known name of a nested object inside an unknown member could be the rest of a text that was cut. A code
//     must not contain characters that structure the signed text or are deleted from it, and neither must the name of a
//     member. NUL is refused everywhere, because no text of a payment contains it. Not protected, and accepted: quotes
//     and backslashes in free text, its end from an & or, in lists, a comma before an unknown name on, what is opaque,
//     and objects that a text in a list, chosen by someone else, was written to look like
//   - by Decode: a value of another type than its field, and a member that is given under both its new and its old name
//   - by Check, before anything is sent: all that the gateway would refuse, cut or sign in another form
//
// Nothing but memory is kept from one message to the next. Time and memory are proportional to the length of a message,
// whatever it holds.
package wire
