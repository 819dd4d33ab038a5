// A script that ends with undefined prints nothing.
void 0;
