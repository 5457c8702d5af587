"""The rungs of the ladder, one file each: what is compared, how close it has to be and why, what fails there."""
