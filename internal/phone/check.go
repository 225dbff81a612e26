package phone

// Check looks at a thing as it is stored, in the transaction that is about to change
// it: its error is returned, and nothing is changed. Nil lets everything pass.
type Check[T any] func(stored T) error

// Of calls the check.
func (c Check[T]) Of(stored T) error {
	if c == nil {
		return nil
	}
	return c(stored)
}
