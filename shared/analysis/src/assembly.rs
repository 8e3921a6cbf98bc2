//! Outcomes of the parameters to the findings contract.
